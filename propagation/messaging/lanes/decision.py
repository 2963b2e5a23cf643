"""Who handles a message: a pure decision."""

from enum import Enum
from typing import NamedTuple, Protocol

from propagation.messaging.lanes.roster import Roster

LEASE_SECONDS = 10.0


class Liveness(Protocol):
    """Who is there. An adapter implements it by what its broker knows of consumers."""

    def age(self, name: str) -> float | None:
        """Seconds since a consumer of the group or queue `name` was last seen; None where none was ever seen."""
        ...


class Why(Enum):
    """The reason for a decision."""

    UNTAGGED = "the message has no lane"
    BASELINE = "the message has the baseline's tag"
    UNLISTED = "nobody is meant to consume this lane"
    LANE = "the lane has a live consumer"
    ABSENT = "the lane has no live consumer"
    NO_ROSTER = "it is not known who is meant to consume"


class Decision(NamedTuple):
    """Who handles a message.

    name: the group or queue whose consumers handle it; None for the baseline's where the roster is not known.
    lane: the lane of the message, None without one. why: the reason.
    """

    name: str | None
    lane: str | None
    why: Why


def decide(
    lane: str | None, roster: Roster | None, liveness: Liveness | None, lease: float = LEASE_SECONDS
) -> Decision:
    """Who handles a message of `lane`, by who is meant to be there and who is there.

    lane: of the message, None without one. roster: None where it is not known. liveness: None where nothing tells who
    is there: whoever is meant to be is taken to be. lease: seconds for which a consumer that was seen counts as alive.
    """
    if roster is None:
        return Decision(None, lane, Why.NO_ROSTER)
    name, why = roster.baseline_name, _why_baseline(lane, roster)
    if why is None:
        name, why = roster.name(lane), Why.LANE
        if liveness is not None and not is_alive(liveness.age(name), lease):
            name, why = roster.baseline_name, Why.ABSENT
    return Decision(name, lane, why)


def is_alive(age: float | None, lease: float) -> bool:
    """Whether a consumer that was last seen `age` seconds ago counts as there."""
    return age is not None and age <= lease


def _why_baseline(lane: str | None, roster: Roster) -> Why | None:
    """Why the baseline handles the lane's messages whoever is there; None where a lane's consumers may."""
    if lane is None:
        return Why.UNTAGGED
    if lane == roster.baseline:
        return Why.BASELINE
    if lane not in roster.names:
        return Why.UNLISTED
    return Why.BASELINE if roster.name(lane) == roster.baseline_name else None
