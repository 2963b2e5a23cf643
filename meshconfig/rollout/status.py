"""What `rollout status --output json` prints: a state as plain values."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from meshconfig.rollout.actions import Action, Analyse, Retire, Wait
from meshconfig.rollout.machine import resume
from meshconfig.rollout.state import State


def status(state: State) -> dict[str, Any]:
    """
    Returns:
        docs/rollouts.md names the keys. `weights` are the last ones in force, in percent; times are ISO 8601, in UTC.
    """
    spec, metadata, actions = state.rollout.spec, state.rollout.metadata, resume(state).actions
    end = _end(actions)
    new = 100 if state.applied_taken else state.applied
    return {
        "name": metadata.name,
        "namespace": metadata.namespace,
        "group": spec.group,
        "generation": state.generation,
        "phase": state.phase.value,
        "stage": state.stage.value,
        "why": state.why,
        "since": _text(state.since),
        "step": state.step,
        "steps": len(spec.steps),
        "weights": {name: {move.from_: 100 - new, move.to: new} for name, move in spec.services.items()},
        "pods": {name: _pods(state, name, counts, actions) for name, counts in state.pods.items()},
        "until": _text(end) if end else None,
        "metrics": {name: one.last.model_dump(mode="json") for name, one in state.tallies.items() if one.last},
        "log": [entry.model_dump(mode="json") for entry in state.log],
    }


def _end(actions: Sequence[Action]) -> datetime | None:
    """When the pause or the analysis ends, or the time for which the old version is kept."""
    return next((one.until for one in actions if isinstance(one, Wait | Analyse)), None)


def _pods(state: State, service: str, counts: Mapping[str, int], actions: Sequence[Action]) -> dict[str, int]:
    """The Pods that are wanted of each version: none of a version that is being retired."""
    old = state.rollout.spec.services[service].from_
    gone = state.old_retired or any(isinstance(one, Retire) for one in actions)
    return {**counts, old: 0} if gone else dict(counts)


def _text(moment: datetime) -> str:
    """As the log's times are written."""
    return moment.isoformat().replace("+00:00", "Z")
