"""From one version to the next by steps: what a rollout does, as values. Pure, but for `prometheus` and `notify.send`.

    spec (Rollout) → check (against the LaneGroup) → machine: State + event + now → State + actions
    state | events | actions   what is kept, what happened, what to do
    pods                       how many Pods each version needs at a weight
    steps, carrier             the LaneGroup that a state asks for
    analysis, queries          three answers: pass, fail, no data;  automatic: the weights of `auto`
    notify, status             what a webhook and a person are told

A runner reads the stored state, does what `todo.actions` says, reports it with the state's `turn` to `machine.step`,
and stores what comes back if nobody stored anything in between. Killed anywhere, the next one is asked for the same.
"""
