"""Writes what people and Git controllers read of an object: its status, and Events, no more often than they read."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from meshconfig.backend.kinds import GRAYLANE
from meshconfig.cluster import events
from meshconfig.cluster.client import Client
from meshconfig.cluster.conditions import Condition, reconciling, written
from meshconfig.cluster.custom import CustomObject, put_status
from meshconfig.cluster.events import About
from meshconfig.errors import ApiError, ClusterError
from meshconfig.printable import escape_line

OFTEN = 1.0  # seconds between two writes about the same plan
WAITING = 5  # lines of what a barrier waits for
SOURCE = f"{GRAYLANE}/controller"
NOT_FOUND = 404

EventType = Literal["Normal", "Warning"]


@dataclass(slots=True)
class Reporter:
    """Reports of one look at a group or a preview lane.

    Parameters:
        one: the object as it was read.
        tell: gets one line for the log.
    """

    client: Client
    one: CustomObject
    tell: Callable[[str], None]
    _status: dict[str, Any] = field(default_factory=dict)
    _next: float = 0.0

    def __post_init__(self) -> None:
        self._status = dict(self.one.status)

    def settled(self, conditions: tuple[Condition, ...], **more: Any) -> None:
        """Where the object stands after a look.

        Parameters:
            more: fields of the status that have changed, such as `revision` and `lanes`.
        """
        self._write({**more, "change": None}, conditions)

    def working(self, change: Mapping[str, Any], *, now: bool = False) -> None:
        """How far a plan is.

        Parameters:
            change: `status.change`.
            now: write it however short ago the last one was written.
        """
        if now or time.monotonic() >= self._next:
            step, steps = change.get("step", 0), change.get("steps", 0)
            said = f"step {step} of {steps}: {change.get('title', '')}"
            self._write({"change": dict(change)}, reconciling("Applying", said))
            self._next = time.monotonic() + OFTEN

    def event(self, kind: EventType, reason: str, message: str, *, about: str = "") -> None:
        """Creates an Event of the object. An error delays nothing: it is logged.

        Parameters:
            reason: a word in CamelCase.
            about: what makes it another Event than one of the same text before. Default: the object's generation.
        """
        self.tell(f"{self.one.key}: {message}")
        body = event(self.one, kind, reason, message, about or str(self.one.generation), datetime.now(UTC))
        try:
            events.create(self.client, body)
        except ClusterError as error:
            self.tell(f"event of {self.one.key}: {error}")

    def _write(self, fields: Mapping[str, Any], conditions: tuple[Condition, ...]) -> None:
        """One patch, and none where it would change nothing."""
        before = self._status.get("conditions") or ()
        new = {
            **self._status,
            **fields,
            "observedGeneration": self.one.generation,
            "conditions": written(conditions, before, self.one.generation, datetime.now(UTC)),
        }
        changed = {name: value for name, value in new.items() if self._status.get(name) != value}
        if not changed:
            return
        try:
            put_status(self.client, self.one.key, changed)
        except ApiError as error:
            if error.status != NOT_FOUND:  # it is gone: its deletion wakes the controller
                raise
        self._status = {name: value for name, value in new.items() if value is not None}


def event(one: CustomObject, kind: EventType, reason: str, message: str, about: str, now: datetime) -> dict[str, Any]:
    """An Event of an object. The same one has the same name, so that a restart does not double it."""
    text = escape_line(message)
    digest = hashlib.blake2b(f"{one.uid}\n{reason}\n{about}\n{text}".encode(), digest_size=8).hexdigest()
    object_ = About(one.key, one.uid, one.version)
    name = f"{one.key.name}.{digest}"
    return events.event(object_, name, reason, text, now, warning=kind == "Warning", source=SOURCE)
