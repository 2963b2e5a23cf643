"""Conditions of an object's status as kstatus reads them, so that Argo CD, Flux and kubectl wait for the right thing.

`Reconciling` and `Stalled` are there only while they are true; `Ready` is always there.
Source: https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

LONGEST = 1000  # characters of a message
Kind = Literal["Ready", "Reconciling", "Stalled", "Drifted"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition.

    Parameters:
        reason: one word in CamelCase, for programs.
        message: a sentence, for people.
    """

    kind: Kind
    status: bool
    reason: str
    message: str


def ready(reason: str, message: str) -> tuple[Condition, ...]:
    """What is wanted is so, at every proxy."""
    return (Condition("Ready", True, reason, message),)


def reconciling(reason: str, message: str) -> tuple[Condition, ...]:
    """Work is under way, or is tried again by itself."""
    return Condition("Ready", False, reason, message), Condition("Reconciling", True, reason, message)


def stalled(reason: str, message: str) -> tuple[Condition, ...]:
    """Nothing will change until a person changes something; the message says what."""
    return Condition("Ready", False, reason, message), Condition("Stalled", True, reason, message)


def written(
    conditions: Iterable[Condition], before: Iterable[Mapping[str, Any]], generation: int, now: datetime
) -> list[dict[str, Any]]:
    """Conditions as `status.conditions` has them.

    Parameters:
        before: those that are there. The time of a condition changes only with its status.
        generation: the object's, that they are about.
        now: with a time zone.
    """
    times = {(one.get("type"), one.get("status")): one.get("lastTransitionTime") for one in before}
    moment = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return [
        {
            "type": one.kind,
            "status": str(one.status),
            "reason": one.reason,
            "message": one.message if len(one.message) <= LONGEST else one.message[: LONGEST - 1] + "…",
            "lastTransitionTime": times.get((one.kind, str(one.status))) or moment,
            "observedGeneration": generation,
        }
        for one in conditions
    ]
