"""Takes up a rollout, once the rollouts that it supersedes have gone back and the group is one that it fits."""

import math
from dataclasses import dataclass

from meshconfig.bounded import clip
from meshconfig.errors import ApiError, ClusterError, Unreachable, dotted
from meshconfig.rollout import begin, store
from meshconfig.rollout.begin import NotAppliedError
from meshconfig.rollout.beside import NO_GROUP
from meshconfig.rollout.check import check
from meshconfig.rollout.events import ApplyFailed, Report, Start
from meshconfig.rollout.runner.context import LATER, LOOK, RunnerContext, foreign
from meshconfig.rollout.runner.scaling import sizes
from meshconfig.rollout.state import LONGEST_WHY, Obstacle, Phase
from meshconfig.rollout.store import Record
from meshconfig.rollout.transitions import GRAYLANE
from meshconfig.spec.group import LaneGroup

PASSING = (409, 410, 429)  # answers of an API server that are others the next time
UNSEEN = 30.0  # seconds until the next look for a group that has no object: no watch tells of its history
WAITING, MISFIT, NO_DEPLOYMENT = "Waiting", "DoesNotFit", "NoDeployment"  # reasons


@dataclass(frozen=True, slots=True)
class Admission:
    """The report, and the group to begin from. Without a report, `obstacle` says what the rollout waits for.

    Parameters:
        look: seconds until the next look; without end where a watch tells that the obstacle may be gone.
    """

    report: Report | None = None
    base: LaneGroup | None = None
    obstacle: Obstacle | None = None
    look: float = math.inf


def admit(context: RunnerContext, record: Record) -> Admission:
    """Decides whether a rollout begins now, later or never.

    What does not fit a LaneGroup object yet waits: Git may bring both in any order.

    Raises:
        Unreachable: the API server does not answer.
        ApiError: it answers with an error of its own, which says nothing of the group.
    """
    if older := _older(context, record):
        for one in older:
            if one.services & record.services:
                begin.supersede(context.client, one, record.name, GRAYLANE)
        return _waits(f"waits for rollout {' and '.join(one.name for one in older)} to end")
    turn = record.state.turn
    lanegroup = False
    try:
        base, lanegroup = begin.applied(context.client, record.namespace, record.group)
        if wrong := [f"{dotted(path)}: {said}" for path, said in check(record.state.rollout, base)]:
            why = "; ".join(wrong)
            return _stalls(MISFIT, why) if lanegroup else Admission(ApplyFailed(turn, why=why))
        if reason := foreign(context, base):
            return Admission(ApplyFailed(turn, why=reason))
        return Admission(Start(turn, sizes(context, base, record), lanegroup), base)
    except Unreachable:
        raise
    except NotAppliedError as error:
        if error.missing:
            return _stalls(NO_GROUP, str(error), math.inf if error.lanegroup else UNSEEN)
        if not error.busy:
            return Admission(ApplyFailed(turn, why=str(error)))
        # The controller tells when a LaneGroup is ready; of a group without an object, no watch tells.
        return _waits(str(error), look=math.inf if error.lanegroup else LOOK)
    except ApiError as error:
        if error.status >= 500 or error.status in PASSING:
            raise
        return Admission(ApplyFailed(turn, why=str(error)))
    except ClusterError as error:  # a version has no Deployment
        if lanegroup:
            return _waits(str(error), NO_DEPLOYMENT, look=LATER)
        return Admission(ApplyFailed(turn, why=str(error)))


def _waits(message: str, reason: str = WAITING, *, look: float = math.inf) -> Admission:
    return Admission(obstacle=Obstacle(reason=reason, message=clip(message, LONGEST_WHY), stalls=False), look=look)


def _stalls(reason: str, message: str, look: float = math.inf) -> Admission:
    return Admission(obstacle=Obstacle(reason=reason, message=clip(message, LONGEST_WHY)), look=look)


def _older(context: RunnerContext, record: Record) -> list[Record]:
    """The rollouts of the group that go first: all that have begun, and those that were started earlier."""
    there = store.records(context.client, record.namespace, group=record.group, active=True, wrong=lambda error: None)
    return [
        one
        for one in there
        if one.name != record.name and (one.state.phase is not Phase.PENDING or one.age < record.age)
    ]
