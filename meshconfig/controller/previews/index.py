"""Which Lanes there are, and which of them each group's last plan has routed, for the time of one leadership."""

import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from meshconfig.cluster.previews import PreviewObject
from meshconfig.cluster.watching import Change
from meshconfig.controller.owned import GroupKey
from meshconfig.preview.overlay import Routed
from meshconfig.spec.preview import KEEP_UNTIL

LaneKey = tuple[str, str]  # namespace, name


class _Asked(NamedTuple):
    """What a Lane asks for, as the watch saw it last. What the controller writes itself is not among it."""

    uid: str
    group: str
    generation: int
    deleting: bool
    keep_until: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a group's last plan that succeeded has routed.

    Parameters:
        began: when the look began that made it, by a clock that only rises: what was written later is not in it.
        over: the Lanes in it.
        refused: why others are not.
    """

    began: float
    over: Mapping[str, Routed] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


class PreviewIndex:
    """Thread-safe. A new leader knows nothing, and waits for a first plan of each group."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[LaneKey, _Asked] = {}
        self._plans: dict[GroupKey, Plan] = {}
        self._unwanted: dict[tuple[LaneKey, str, str], float] = {}

    def see(self, change: Change, one: PreviewObject) -> bool:
        """Notes what a watch gives.

        Returns:
            Whether somebody else than the controller has changed it.
        """
        key = (one.namespace, one.name)
        now = _Asked(one.uid, one.group, one.generation, one.deleting, one.annotations.get(KEEP_UNTIL, ""))
        with self._lock:
            before = self._asked.pop(key, None)
            if change is Change.GONE:
                self._forget(key)
                return True
            self._asked[key] = now
        return before != now

    def of_group(self, group: GroupKey) -> list[LaneKey]:
        with self._lock:
            return [key for key, one in self._asked.items() if (key[0], one.group) == group]

    def group(self, lane: LaneKey) -> GroupKey | None:
        """The group of a Lane, as the watch saw it last; None for one that it has not seen."""
        with self._lock:
            one = self._asked.get(lane)
        return (lane[0], one.group) if one else None

    def named(self, name: str) -> list[LaneKey]:
        """The Lanes of a name: what is made for one has its name alone as a label."""
        with self._lock:
            return [key for key in self._asked if key[1] == name]

    def is_leaving(self, namespace: str, names: Collection[str]) -> bool:
        """Whether one of these Lanes is being deleted, or gone."""
        with self._lock:
            return any((one := self._asked.get((namespace, name))) is None or one.deleting for name in names)

    def plan(self, group: GroupKey) -> Plan | None:
        """What the group's last plan has routed; None where none has succeeded in this leadership."""
        with self._lock:
            return self._plans.get(group)

    def planned(self, group: GroupKey, plan: Plan) -> None:
        with self._lock:
            self._plans[group] = plan

    def unwanted(self, one: PreviewObject, what: str = "") -> tuple[float, bool]:
        """When this process saw first that something of a Lane is to go, and whether that is now.

        Parameters:
            what: a Deployment that the spec of this generation does not ask for; empty for all of a Lane that ends.
        """
        return self.first((one.namespace, one.name), one.uid, f"{one.generation} {what}" if what else "")

    def first(self, lane: LaneKey, uid: str, what: str) -> tuple[float, bool]:
        """When this process saw something first of what was a Lane object of this uid, and whether that is now."""
        about = (lane, uid, what)
        with self._lock:
            is_new = about not in self._unwanted
            return self._unwanted.setdefault(about, time.monotonic()), is_new

    def ends(self, lane: LaneKey) -> bool:
        """Whether the end of a Lane has begun in this leadership."""
        with self._lock:
            return any((key, what) == (lane, "") for key, _, what in self._unwanted)

    def forget(self, lane: LaneKey) -> None:
        """Nothing is left of a Lane."""
        with self._lock:
            self._forget(lane)

    def _forget(self, lane: LaneKey) -> None:
        self._unwanted = {what: since for what, since in self._unwanted.items() if what[0] != lane}

    def comes(self, one: PreviewObject) -> bool:
        """Whether a generation of a Lane that was never ready is looked at for the first time in this leadership."""
        return self.unwanted(one, "to come")[1]

    def asks(self, one: PreviewObject, versions: Mapping[str, Mapping[str, str]]) -> bool:
        """Whether a generation of a Lane asks for routes to these versions for the first time in this leadership.

        Whoever has stated them may not know it, where the API server's answer was lost, and so asked for no plan.
        """
        shown = sorted((name, *sorted(labels.items())) for name, labels in versions.items())
        return self.unwanted(one, f"routes to {shown}")[1]
