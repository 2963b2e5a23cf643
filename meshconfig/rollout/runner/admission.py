"""Takes up a rollout, once the rollouts that it supersedes have gone back and the group is one that it fits."""

from dataclasses import dataclass

from meshconfig.cluster.rollouts import Standing
from meshconfig.errors import ApiError, ClusterError, Unreachable, dotted
from meshconfig.rollout import begin, store
from meshconfig.rollout.check import check
from meshconfig.rollout.events import ApplyFailed, Report, Start
from meshconfig.rollout.runner.context import RunnerContext, foreign
from meshconfig.rollout.runner.scaling import sizes
from meshconfig.rollout.state import Phase
from meshconfig.rollout.store import Record
from meshconfig.rollout.transitions import GRAYLANE
from meshconfig.spec.group import LaneGroup

PASSING = (409, 410, 429)  # answers of an API server that are others the next time


@dataclass(frozen=True, slots=True)
class Admission:
    """The report, and the group to begin from. Without a report, `waits` says what the rollout waits for."""

    report: Report | None = None
    base: LaneGroup | None = None
    waits: str = ""


def admit(context: RunnerContext, record: Record) -> Admission:
    """Decides whether a rollout begins now, later or never.

    Raises:
        Unreachable: the API server does not answer.
        ApiError: it answers with an error of its own, which says nothing of the group.
    """
    if older := _older(context, record):
        for one in older:
            if one.services & record.services:
                begin.supersede(context.client, one, record.name, GRAYLANE)
        return Admission(waits=f"rollout {' and '.join(one.name for one in older)} to end")
    turn = record.state.turn
    try:
        base = begin.applied(context.client, record.namespace, record.group)
        if wrong := [f"{dotted(path)}: {said}" for path, said in check(record.state.rollout, base)]:
            return Admission(ApplyFailed(turn, why="; ".join(wrong)))
        if reason := foreign(context, base):
            return Admission(ApplyFailed(turn, why=reason))
        return Admission(Start(turn, sizes(context, base, record)), base)
    except Unreachable:
        raise
    except begin.NotAppliedError as error:
        return Admission(waits=str(error)) if error.busy else Admission(ApplyFailed(turn, why=str(error)))
    except ApiError as error:
        if error.status >= 500 or error.status in PASSING:
            raise
        return Admission(ApplyFailed(turn, why=str(error)))
    except ClusterError as error:
        return Admission(ApplyFailed(turn, why=str(error)))


def _older(context: RunnerContext, record: Record) -> list[Record]:
    """The rollouts of the group that go first: all that have begun, and those that were started earlier."""
    there = store.records(
        context.client, record.namespace, group=record.group, standing=(Standing.ACTIVE,), wrong=lambda error: None
    )
    return [
        one
        for one in there
        if one.name != record.name and (one.state.phase is not Phase.PENDING or one.age < record.age)
    ]
