"""The life of preview lanes under load: when each was written, had ready Pods, was reachable, was deleted and was gone;
and which requests were answered otherwise than its state at that time allows."""

import json
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import load
from load_judge import Row, Step, judge
from mesh_cluster import kubectl
from preview_chains import Preview, PreviewChains

EVERY = 0.5  # seconds between two looks
ALWAYS = float("inf")


@dataclass
class Life:
    """Seconds of the machine's monotonic clock; None for what has not come."""

    written: float | None = None
    pods: float | None = None
    ready: float | None = None
    deleted: float | None = None
    gone: float | None = None


@dataclass
class PreviewStory:
    """`rounds`: each time that lanes come and go, those lanes' lives by name."""

    world: PreviewChains
    address: str
    out: Path
    rounds: list[dict[str, Life]] = field(default_factory=list)

    @property
    def lives(self) -> dict[str, Life]:
        """Those of the last round."""
        return self.rounds[-1]

    def begin(self, lanes: Iterable[Preview]) -> None:
        """Begins a round: these lanes are about to be written, and nothing is left of an earlier round."""
        now = time.monotonic()
        self.rounds.append({one.name: Life(written=now) for one in lanes})

    def end(self) -> None:
        """The lanes of the last round are about to be deleted."""
        for life in self.lives.values():
            life.deleted = time.monotonic()

    def target(self, chain: int, lane: Preview | None = None) -> str:
        return self.world.host(chain) + (f" {lane.name}" if lane else "")

    def targets(self) -> list[str]:
        lanes = [self.target(one.chain, one) for one in self.world.previews()]
        return [*(self.target(number) for number in range(len(self.world.chains))), *lanes]

    def look(self) -> None:
        """Notes what has changed since the last look."""
        lanes, pods = listed("lanes.graylane.dev", self.world.namespace), listed("pods", self.world.namespace)
        now, there = time.monotonic(), {one["metadata"]["name"]: one for one in lanes}
        for one in self.world.previews():
            life = self.lives.get(one.name)
            if life is None:
                continue
            found = there.get(one.name)
            if life.pods is None and (since := _ready_since(one, pods)) is not None:
                life.pods = since
            if found and life.ready is None and found.get("status", {}).get("phase") == "Ready":
                life.ready = now
            if found is None and life.deleted is not None and life.gone is None and not _of(one, pods):
                life.gone = now

    def until(self, done: Callable[[Life], bool], what: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            self.look()
            left = [name for name, life in self.lives.items() if not done(life)]
            if not left:
                return
            assert time.monotonic() < end, f"not {what} within {seconds:.0f} s: {left}\n{self.said()}"
            time.sleep(EVERY)

    def said(self) -> str:
        """What the statuses of the lanes say."""
        found = listed("lanes.graylane.dev", self.world.namespace)
        return "\n".join(f"{one['metadata']['name']}: {json.dumps(one.get('status'))}" for one in found)

    def rows(self) -> list[Row]:
        """A row for the requests without a lane, and one for each lane."""
        requests: dict[str, list[load.Sent]] = {}
        for one in load.read(self.out):
            requests.setdefault(one.tag, []).append(one)
        rows = [
            _row(f"no lane, {self.world.host(number)}", requests.get(tag, []), [self._steady(tag, number)])
            for number in range(len(self.world.chains))
            for tag in [self.target(number)]
        ]
        for lane in self.world.previews():
            tag = self.target(lane.chain, lane)
            name = f"{lane.name}, of {' and '.join(lane.services)}"
            rows.append(_row(name, requests.get(tag, []), list(self._steps(tag, lane))))
        return rows

    def _steady(self, tag: str, number: int) -> Step:
        right = self.world.right(tag, number)
        return Step("always", 0.0, ALWAYS, right, right)

    def _steps(self, tag: str, lane: Preview) -> Iterable[Step]:
        """While it comes and while it goes a request may get its chain or the baseline's, each whole."""
        none, own = self.world.right(tag, lane.chain), self.world.right(tag, lane.chain, lane)
        for life in (lives[lane.name] for lives in self.rounds if lane.name in lives):
            yield Step("comes", life.written or 0.0, life.ready or ALWAYS, none, own)
            yield Step("goes", life.deleted or ALWAYS, life.gone or ALWAYS, own, none)

    def answered_by_lane(self, lane: Preview) -> int:
        """How many requests its own chain has answered."""
        tag, own = self.target(lane.chain, lane), self.world.chain(lane.chain, lane)
        return sum(one.tag == tag and one.chain == own for one in load.read(self.out))

    def times(self, title: str) -> str:
        """As text: seconds of each lane of the last round, and of all of them together."""
        lines = [
            "",
            f"{title}, seconds after the event before",
            f"{'lane':10} {'Pods ready':>11} {'reachable':>10} {'gone':>6}",
        ]
        for name, life in {**self.lives, "all": _together(self.lives.values())}.items():
            made, reached = _between(life.written, life.pods), _between(life.pods, life.ready)
            lines.append(f"{name:10} {made:>11} {reached:>10} {_between(life.deleted, life.gone):>6}")
        return "\n".join(lines)


def _together(lives: Collection[Life]) -> Life:
    """When the last of the lanes was so far."""
    lasts: dict[str, float | None] = {}
    for part in (one.name for one in fields(Life)):
        times = [getattr(one, part) for one in lives]
        lasts[part] = None if None in times else max(times, default=None)
    return Life(**lasts)


def _row(name: str, requests: list[load.Sent], steps: list[Step]) -> Row:
    found = judge(requests, steps)
    sent, failed, mixed = (sum(getattr(one, part) for one in found) for part in ("sent", "failed", "mixed"))
    reasons: dict[str, int] = {}
    for one in found:
        for reason, times in one.reasons.items():
            reasons[f"{name}: {reason}"] = reasons.get(f"{name}: {reason}", 0) + times
    return Row(name, 0.0, sent, failed, mixed, reasons)  # all rows are of the same time, which is not to be added up


def listed(resource: str, namespace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(kubectl("get", resource, "-n", namespace, "-o", "json").stdout)["items"]
    return found


def _of(lane: Preview, pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in pods if one["metadata"].get("labels", {}).get("graylane.dev/lane") == lane.name]


def _ready_since(lane: Preview, pods: list[dict[str, Any]]) -> float | None:
    """When all Pods of a lane were ready, to the second, by the monotonic clock."""
    conditions = [
        each
        for one in _of(lane, pods)
        for each in one.get("status", {}).get("conditions", [])
        if each["type"] == "Ready" and each["status"] == "True"
    ]
    if len(conditions) < len(lane.services):
        return None
    last = max(datetime.fromisoformat(one["lastTransitionTime"]) for one in conditions)
    return time.monotonic() - (datetime.now(UTC) - last).total_seconds()


def _between(first: float | None, last: float | None) -> str:
    return "?" if first is None or last is None else f"{max(0.0, last - first):.1f}"
