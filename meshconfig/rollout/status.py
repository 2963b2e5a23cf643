"""What `rollout status` shows: a state as plain values for JSON."""

from typing import Any

from meshconfig.rollout.state import Stage, State
from meshconfig.rollout.todo import until

TIMED = (Stage.WAIT, Stage.ANALYSE, Stage.KEEP)


def status(state: State) -> dict[str, Any]:
    """`weights` are those last known to be in force, in percent; times are ISO 8601."""
    spec, metadata = state.rollout.spec, state.rollout.metadata
    new = 100 if state.applied_taken else state.applied
    return {
        "name": metadata.name,
        "namespace": metadata.namespace,
        "group": spec.group,
        "generation": state.generation,
        "phase": state.phase.value,
        "stage": state.stage.value,
        "why": state.why,
        "since": state.since.isoformat(),
        "step": state.step,
        "steps": len(spec.steps),
        "weights": {name: {move.from_: 100 - new, move.to: new} for name, move in spec.services.items()},
        "pods": {name: dict(counts) for name, counts in state.pods.items()},
        "until": until(state).isoformat() if state.stage in TIMED else None,
        "metrics": {name: one.last.model_dump(mode="json") for name, one in state.tallies.items() if one.last},
        "log": [entry.model_dump(mode="json") for entry in state.log],
    }
