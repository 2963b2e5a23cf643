"""Rollouts: services move from one version to the next by steps.

    spec (Rollout) → check (against the LaneGroup) → machine: State + event + now → State + actions
    state, log | events | actions   what is stored, what happened, what a runner is to do
    machine                    STAGES: what each stage allows (handlers, transitions) and asks for (pending_actions)
    pods                       how many Pods each version needs at a weight
    steps, canary_lane         the LaneGroup that an action asks for
    analysis, queries          three answers: pass, fail, no data;  automatic: the weights of `auto`
    notify, status             what a webhook gets, and what `rollout status` shows
    overlay                    what is wanted of a group beside Git, with the rollouts that lie over it
    begin, store, beside       start a rollout; read and write states in the cluster; LaneGroup objects beside them
    standing                   conditions, and the state in short, for a Rollout object's status
    migrate                    takes over rollouts that earlier releases stored
    runner                     carries out the actions

All but `begin`, `store`, `beside`, `migrate`, `prometheus`, `notify.send` and `runner` are pure functions of values.

The controller's driver carries out the actions that the state machine returns: `machine.step` with each new state,
`machine.resume` for a state that is read. It reports the outcome with the state's `turn`, and stores the result if
nobody stored anything in between. After a crash anywhere, the next controller gets the same actions.
"""
