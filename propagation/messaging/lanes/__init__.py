"""Messages by lane: a lane's messages to the lane's own consumers, all others to the baseline's.

    Roster       who is meant to be there: the group or queue of each lane (what graylane writes from a spec)
    Present      where the roster comes from, a file or a URL; read again while the program runs
    Liveness     who is there; an adapter asks its broker, `Heartbeats` keeps what it was told
    decide       the decision, a pure function of a message's lane, the roster and who is there
    LaneFilter   the three together, for one consumer or producer

An adapter for a library uses a LaneFilter and adds what only its broker can do: that exactly one consumer handles a
message also while a lane comes or goes.
"""

from typing import TYPE_CHECKING

from propagation.lazy import load_when_named

if TYPE_CHECKING:
    from propagation.messaging.lanes.decision import Decision, Liveness, decide
    from propagation.messaging.lanes.filter import LaneFilter
    from propagation.messaging.lanes.heartbeats import Heartbeats
    from propagation.messaging.lanes.present import Present
    from propagation.messaging.lanes.quiet import Warnings
    from propagation.messaging.lanes.roster import Roster, parse

__all__ = ["Decision", "Heartbeats", "LaneFilter", "Liveness", "Present", "Roster", "Warnings", "decide", "parse"]

load_when_named(
    __name__,
    {
        "decision": ("Decision", "Liveness", "decide"),
        "filter": ("LaneFilter",),
        "heartbeats": ("Heartbeats",),
        "present": ("Present",),
        "quiet": ("Warnings",),
        "roster": ("Roster", "parse"),
    },
)
