"""For one consumer or producer: which messages it handles, and whose consumers handle the others."""

import os
from typing import Any, Protocol

from opentelemetry.context import Context

from propagation.config import PropagationConfig, default_config
from propagation.context import baggage_of
from propagation.extract import extract
from propagation.messaging.lanes.decision import LEASE_SECONDS, Decision, Liveness, Why, decide
from propagation.messaging.lanes.present import Present
from propagation.messaging.lanes.quiet import Warnings
from propagation.messaging.lanes.roster import Roster


class RosterSource(Protocol):
    """What knows the roster: `Present`, or a program's own."""

    def roster(self) -> Roster | None: ...


class LaneFilter:
    """Decides per message, by the lane that its headers carry.

    lane: of this consumer; None for the baseline. Of a producer, None. present: who is meant to be there: a Roster, a
    Present, or the path or URL of one. liveness: who is there; None takes whoever is meant to be for present.
    consumer: the name in the spec's `consumers`, for a path or URL that has several. lease: seconds for which a
    consumer that was seen counts as alive. baseline: the lane of messages without a tag while the roster is not known.
    config: default, that of the environment.

    It may be used from several threads.
    """

    def __init__(
        self,
        lane: str | None,
        present: "str | os.PathLike[str] | Roster | RosterSource",
        *,
        liveness: Liveness | None = None,
        consumer: str | None = None,
        lease: float = LEASE_SECONDS,
        baseline: str = "prod",
        config: PropagationConfig | None = None,
        warnings: Warnings | None = None,
    ) -> None:
        self.lane, self.liveness, self.lease = lane, liveness, lease
        self.warnings = warnings or Warnings()
        self._config = config
        self._baseline = baseline
        if isinstance(present, str | os.PathLike):
            present = Present(present, consumer, warnings=self.warnings)
        self._present: Roster | RosterSource = present

    @property
    def roster(self) -> Roster | None:
        """Who is meant to be there, as it stands now; None where it is not known."""
        return self._present if isinstance(self._present, Roster) else self._present.roster()

    @property
    def is_baseline(self) -> bool:
        """Whether this is the baseline's consumer."""
        roster = self.roster
        return self.lane is None or self.lane == (roster.baseline if roster else self._baseline)

    @property
    def name(self) -> str | None:
        """The group or queue of this consumer; None where it is not known, or nobody is meant to consume its lane."""
        roster = self.roster
        if roster is None:
            return None
        return roster.baseline_name if self.is_baseline else roster.names.get(self.lane or roster.baseline)

    def lane_of(self, message: Any) -> str | None:
        """The lane that a message's headers carry, None without one.

        message: anything with `headers`, or the headers themselves, as `propagation.messaging.consumed` takes them.
        Headers that cannot be read carry none; a warning is logged once a minute.
        """
        config = default_config() if self._config is None else self._config
        if config.tag is None:
            return None
        try:
            headers = getattr(message, "headers", message)
            context = extract(headers() if callable(headers) else headers, config=config, context=Context())
        except Exception as error:  # noqa: BLE001  # whatever a library makes of a stranger's headers
            # Of a message that raised here, nobody would hear again: it would end each consumer that takes it.
            text = "headers of a message cannot be read (%s); the baseline handles it"
            self.warnings.warn("headers", text, ascii(error)[:200])
            return None
        # Not by `get`, which answers with `origin` where no header of ours came: this consumer's, not the message's.
        value = baggage_of(context).get(config.tag)
        return config.by_name[config.tag].read(value) if isinstance(value, str) else None

    def decide(self, message: Any) -> Decision:
        """Whose consumers handle this message, and why.

        Of a lane that nobody is meant to consume, a warning is logged once a minute.
        """
        return self.decide_lane(self.lane_of(message))

    def decide_lane(self, lane: str | None) -> Decision:
        """As `decide`, for a lane: of a producer, that of the request at hand (`propagation.get("env")`)."""
        decision = decide(lane, self.roster, self.liveness, self.lease)
        if decision.why is Why.UNLISTED:
            self.warnings.warn("unlisted", "no consumer is meant for lane %a; the baseline handles its messages", lane)
        return decision

    def handles(self, message: Any) -> bool:
        """Whether this consumer handles the message: True to handle it, False to leave it to another's."""
        decision = self.decide(message)
        if decision.name is None:
            return self.is_baseline
        return decision.name == self.name
