"""From one version to the next by steps: what a rollout does, as values. Pure, but for `prometheus` and `notify.send`.

spec (Rollout) → check (against the LaneGroup) → machine: State + event + now → State + actions
state | events | actions   what is kept, what happened, what to do
pods                       how many Pods each version needs at a weight
steps                      the LaneGroup that a state asks for
analysis, queries          three answers: pass, fail, no data;  automatic: the weights of `auto`
notify                     what a webhook is told, signed
"""
