"""For brokers with a queue per lane (RabbitMQ, SQS): where a message goes, and who takes from which queue.

A producer puts a message into the queue of its lane while the lane has a live consumer, else into the baseline's. A
lane's consumer takes from its own queue. The baseline's takes from its own and, while a lane has no live consumer, from
the lane's: what a lane leaves behind is handled where it lies, and no message is ever copied.
"""

from collections.abc import Callable
from time import monotonic

from propagation.config import default_config
from propagation.context import get
from propagation.messaging.lanes.decision import is_alive
from propagation.messaging.lanes.filter import LaneFilter
from propagation.messaging.lanes.heartbeats import Heartbeats

ASK_SECONDS = 2.0  # between two questions of a producer about one queue's consumers
REGISTER_SECONDS = 20.0  # between two questions about which lanes' queues there are


class QueueWatch:
    """The state of one consumer or producer: what an adapter has asked its broker, and what follows.

    lanes: decides by who is meant to be there. Where it has no Liveness, it gets Heartbeats, which the adapter fills;
    they outlive the connection, so that a reconnect is no absence. queue: the baseline's. unlisted: the name of the
    queue of a lane while the roster does not tell.
    """

    def __init__(
        self, lanes: LaneFilter, queue: str, unlisted: str = "{queue}.{lane}", clock: Callable[[], float] = monotonic
    ) -> None:
        if lanes.liveness is None:
            lanes.liveness = Heartbeats(clock)
        self.lanes, self.queue = lanes, queue
        self.registered: frozenset[str] = frozenset()  # lanes' queues that the broker knows, whatever the roster says
        self._unlisted, self._clock = unlisted, clock
        self._due: dict[str, float] = {}
        self._register_due = float("-inf")

    @property
    def own(self) -> str:
        """The queue of this consumer. Of a lane that the roster does not list, the queue that it would have."""
        if self.lanes.is_baseline:
            return self.queue
        return self.lanes.name or self._unlisted.format(queue=self.queue, lane=self.lanes.lane)

    @property
    def lane_queues(self) -> frozenset[str]:
        """The queues of lanes, as far as they are known: in the roster, or left behind by a lane that was."""
        roster = self.lanes.roster
        return ((roster.lane_names if roster else frozenset()) | self.registered) - {self.queue}

    def taken_over(self) -> frozenset[str]:
        """The lanes' queues that the baseline's consumers take from now: those without a live consumer."""
        return frozenset() if not self.lanes.is_baseline else frozenset(filter(self._is_orphan, self.lane_queues))

    def destination(self) -> str:
        """The queue for a message that the work at hand sends."""
        return self.lanes.decide_lane(_lane()).name or self.queue

    def to_ask(self) -> frozenset[str]:
        """The lanes' queues whose consumers are to be asked for; none where a Liveness of the program's own tells."""
        return self.lane_queues if isinstance(self.lanes.liveness, Heartbeats) else frozenset()

    def to_ask_before_sending(self) -> list[str]:
        """The queue of the lane of the work at hand, where its consumers were not asked for just now."""
        roster, now = self.lanes.roster, self._clock()
        meant = roster.names.get(_lane() or roster.baseline) if roster else None
        if meant is None or meant not in self.to_ask() or self._due.get(meant, now) > now:
            return []
        self._due[meant] = now + ASK_SECONDS
        return [meant]

    def told(self, queue: str, alive: bool) -> None:
        """What the broker answered about one queue's consumers.

        One that is not there counts as alive until its lease ends: it may only be connecting again.
        """
        if alive and isinstance(self.lanes.liveness, Heartbeats):
            self.lanes.liveness.seen(queue)

    def is_register_due(self) -> bool:
        """Whether to ask the broker now which lanes' queues there are; the next time is then a while later."""
        if self._clock() < self._register_due:
            return False
        self._register_due = self._clock() + REGISTER_SECONDS
        return True

    def _is_orphan(self, queue: str) -> bool:
        liveness = self.lanes.liveness
        return liveness is not None and not is_alive(liveness.age(queue), self.lanes.lease)


def _lane() -> str | None:
    """The lane of the work at hand."""
    tag = default_config().tag
    return get(tag) if tag else None
