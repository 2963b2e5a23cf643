"""From one version to the next by steps: what a rollout does, as values. Pure, but for `prometheus` and `notify.send`.

    spec (Rollout) → check (against the LaneGroup) → machine: State + event + now → State + actions
    state | events | actions   what is kept, what happened, what to do
    pods                       how many Pods each version needs at a weight
    steps, canary_lane         the LaneGroup that a state asks for
    analysis, queries          three answers: pass, fail, no data;  automatic: the weights of `auto`
    notify, status             what a webhook and a person are told

A runner reads the stored state and does what `pending_actions.actions` says. It reports the outcome with the state's
`turn` to `machine.step`, and stores the result if nobody stored anything in between. After a runner is killed anywhere,
the next one gets the same actions.
"""
