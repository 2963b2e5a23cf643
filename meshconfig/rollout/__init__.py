"""Rollouts: services move from one version to the next by steps.

    spec (Rollout) → check (against the LaneGroup) → machine: State + event + now → State + actions
    state, log | events | actions   what is stored, what happened, what a runner is to do
    machine                    STAGES: what each stage allows (handlers, transitions) and asks for (pending_actions)
    pods                       how many Pods each version needs at a weight
    steps, canary_lane         the LaneGroup that an action asks for
    analysis, queries          three answers: pass, fail, no data;  automatic: the weights of `auto`
    notify, status             what a webhook gets, and what `rollout status` shows
    begin, store               start a rollout; read and write states in the cluster
    runner                     carries out the actions

All but `begin`, `store`, `prometheus`, `notify.send` and `runner` are pure functions of values.

A runner carries out the actions that the state machine returns: `machine.step` with each new state, `machine.resume`
for a state that is read. It reports the outcome with the state's `turn`, and stores the result if nobody stored
anything in between. After a crash anywhere, the next runner gets the same actions.
"""
