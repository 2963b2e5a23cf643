"""A rollout's place and its steps as text, for commands and pages."""

from meshconfig.duration import written
from meshconfig.rollout.state import Phase, State
from meshconfig.spec.rollout import RolloutStep


def standing_of(state: State) -> str:
    """The phase and the stage. Pending and the three ends have one stage each, which says nothing more."""
    same = state.phase is Phase.PENDING or state.phase.final
    return str(state.phase) if same else f"{state.phase}, {state.stage}"


def step_of(state: State) -> str:
    """`, step 2 of 5`; empty before it begins, and once all steps are done."""
    if state.phase is Phase.PENDING or state.current is None or state.phase.final:
        return ""
    return f", step {state.step + 1} of {len(state.rollout.spec.steps)}"


def described(step: RolloutStep) -> str:
    """A step as text: `weight 10 %, with 25% of the Pods, then a pause of 10m`."""
    if step.auto:
        one = step.auto
        return f"weight {one.from_} to {one.to} % by the metrics, {one.add} more every {written(one.every)}"
    parts = []
    if step.weight is not None:
        parts.append(f"weight {step.weight} %{_pods(step)}")
    if step.pause:
        parts.append("pause until approved" if step.pause.for_ is None else f"pause of {written(step.pause.for_)}")
    if step.analysis:
        parts.append(f"metrics measured for {written(step.analysis.for_)}")
    return ", then ".join(parts)


def _pods(step: RolloutStep) -> str:
    if step.replicas is None:
        return ""
    return f", {step.replicas} Pods" if isinstance(step.replicas, int) else f", {step.replicas} of the Pods"
