"""A chain of services whose sidecars log each request, by a plan that says which calls lose the tag: the truth."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from meshconfig.carry import UNTAGGED, Workload
from meshconfig.carry.access_log import Record
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.spec import LaneGroup

SPEC = """
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: shop, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}, blue: {}}
  services:
    front:
      host: front
      port: 80
      calls: [cart, stock]
      versions: {prod: {labels: {v: prod}}, gray: {labels: {v: gray}}, blue: {labels: {v: blue}}}
    cart:
      host: cart
      port: 80
      calls: [stock]
      versions: {prod: {labels: {v: prod}}, gray: {labels: {v: gray}}}
    stock:
      host: stock
      port: 80
      versions: {prod: {labels: {v: prod}}, gray: {labels: {v: gray}}}
"""
CALLS = {"front": ("cart", "stock"), "cart": ("stock",), "stock": ()}


def shop() -> LaneGroup:
    (group,) = groups(parse(SPEC, "shop.yaml"))
    return group.spec


@dataclass
class Chain:
    """Sends requests along front → cart → stock, and front → stock.

    Parameters:
        loses: by version, the share of its calls that lose the tag.
        carries_id: the versions that carry x-request-id on; None for all.
        ends: seconds that a request takes at each hop, at most.
    """

    loses: Mapping[Workload, float] = field(default_factory=dict)
    carries_id: frozenset[Workload] | None = None
    seed: int = 0
    ends: float = 0.05

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.group = shop()
        services = {name: self.group.service(name) for name in CALLS}
        self.version = {
            (name, lane): (one.version_in(lane) if lane in self.group.spec.lanes else None) or "prod"
            for name, one in services.items()
            for lane in (*self.group.spec.lanes, UNTAGGED)
        }
        self.calls: Counter[tuple[Workload, Workload, str]] = Counter()
        self.lost: Counter[Workload] = Counter()
        self.sent: Counter[tuple[Workload, str]] = Counter()

    def requests(self, lanes: Sequence[str], every: float = 0.01) -> "Iterator[Logged]":
        """The records in the order in which sidecars log them: a request when it has ended.

        Parameters:
            lanes: the lane of each request.
            every: seconds between two requests.
        """
        logged: list[Logged] = []
        for number, lane in enumerate(lanes):
            start = number * every
            self._received("front", lane, f"r{number}", start, logged)
            logged.sort(key=lambda one: one.at)
            while logged and logged[0].at < start:
                yield logged.pop(0)
        yield from logged

    def _received(self, service: str, lane: str, request_id: str, start: float, logged: "list[Logged]") -> float:
        """One request at a service, and all that it calls; the time at which it ends."""
        here = Workload(service, self.version[service, lane])
        self.sent[here, lane] += 1
        pod, now = f"demo/{service}-{here.version}-{self.draw.randrange(2)}", start
        for callee in CALLS[service]:
            lost = lane != UNTAGGED and self.draw.random() < self.loses.get(here, 0)
            sent = UNTAGGED if lost else lane
            self.lost[here] += lost
            carries = self.carries_id is None or here in self.carries_id
            given = request_id if carries else f"{request_id}-{callee}-{here}"
            to = Workload(callee, self.version[callee, sent])
            self.calls[here, to, sent] += 1
            begun, now = now, self._received(callee, sent, given, now, logged)
            logged.append(Logged(now, Record(begun, pod, here, to, sent, given, f"/{callee}", "200")))
        now += self.draw.random() * self.ends
        logged.append(Logged(now, Record(start, pod, here, None, lane, request_id, f"/{service}", "200")))
        return now


class Logged(NamedTuple):
    """A record, and when it was logged."""

    at: float
    record: Record
