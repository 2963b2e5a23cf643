"""The barrier against an istiod and Envoys that are played, with any delays: when it holds, they have the change."""

import heapq
import itertools
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshconfig.cluster.barrier import Barrier, BarrierTimeout, Progress, ProxyRefused, StepChange, Verification
from meshconfig.cluster.barrier import barrier as module
from meshconfig.cluster.barrier.istiod import Unreadable
from meshconfig.cluster.objects import key

HOST = "cat.demo.svc.cluster.local"
OLD, NEW, OTHER = f"outbound|80|prod|{HOST}", f"outbound|80|gray|{HOST}", "outbound|80||shop.other.svc.cluster.local"
URL = "type.googleapis.com/envoy.config."
TYPES = {
    "CDS": f"{URL}cluster.v3.Cluster",
    "EDS": f"{URL}endpoint.v3.ClusterLoadAssignment",
    "LDS": f"{URL}listener.v3.Listener",
    "RDS": f"{URL}route.v3.RouteConfiguration",
}
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
RULE: Any = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "DestinationRule",
    "metadata": {"name": "cat", "namespace": "demo", "uid": "u", "generation": 2, "resourceVersion": "20"},
    "spec": {"host": HOST, "subsets": [{"name": "prod"}, {"name": "gray"}]},
}


class Gray:
    host, port, name, labels = HOST, 80, "gray", (("env", "gray"),)


@dataclass
class Envoy:
    """Seconds: `lag` until istiod gets to it, `answer` until it acknowledges, `ask` until it asks for new endpoints."""

    name: str
    concerned: bool = True
    lag: float = 0.01
    answer: float = 0.01
    ask: float = 0.01
    refuses: bool = False
    stands: bool = False
    overridden: bool = False  # another resource decides here
    sent: dict[str, tuple[str, float]] = field(default_factory=dict)
    acked: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    watched: set[str] = field(default_factory=set)
    pushed: tuple[int, bool] = (1, False)  # the push it was last looked at for, and whether that has the change
    made: bool = False  # whether the clusters that it was sent last have the change
    free: float = 0.0  # istiod serves a connection one thing after another
    knows: bool = False  # the change
    has: bool = False  # the new cluster's endpoints
    when: float = 0.0  # it got them


@dataclass
class Cache:
    """istiod's cache of what it makes for proxies: whether that has the change, None if nothing is kept.

    It is emptied when a push begins, before any proxy is looked at for that push. What was asked for before that is not
    kept, and what was asked for later replaces the rest (istio/istio `pilot/pkg/model/typed_xds_cache.go`).
    """

    kept: bool | None = None
    since: float = 0.0
    emptied: float = 0.0

    def empty(self, now: float) -> None:
        self.kept, self.emptied = None, now

    def get(self, fresh: bool) -> bool:
        return fresh if self.kept is None else self.kept

    def keep(self, made: bool, asked: float) -> None:
        if asked >= self.emptied and (self.kept is None or asked > self.since):
            self.kept, self.since = made, asked


class Istiod:
    """Reads the change after `reading`, pushes it `debounce` later; `noise` are pushes of other things.

    Parameters:
        first: no rule was there before.
        noise: seconds, and who gets them, of pushes of CDS, LDS and RDS, or of endpoints only where that is None.
        slow: seconds from the moment when a proxy's configuration is asked for until it is there.
    """

    name = "istiod"

    def __init__(
        self,
        envoys: list[Envoy],
        reading: float,
        debounce: float,
        noise: list[tuple[float, int | None]],
        *,
        times: bool,
        first: bool = False,
        slow: float = 0.0,
    ) -> None:
        self.envoys, self.times, self.first, self.slow = envoys, times, first, slow
        self.cache = Cache()
        self.now, self.number, self.asked = 0.0, 1, 0
        self._order = itertools.count()
        self._todo: list[tuple[float, int, Callable[[], object]]] = []
        self.read_it = self.included = False
        for envoy in envoys:
            envoy.watched = {OLD} if envoy.concerned else {OTHER}
            for short in TYPES:
                self._send(envoy, short, 1, at_once=True)
        self.at(reading, lambda: setattr(self, "read_it", True))
        self.at(reading + debounce, lambda: self.push(True, None, ()))
        for when, who in noise:
            self.at(when, partial(self.push, False, who, ("noise",)))

    def at(self, when: float, do: Callable[[], object]) -> None:
        heapq.heappush(self._todo, (when, next(self._order), do))

    def sleep(self, seconds: float) -> None:
        end = self.now + seconds
        while self._todo and self._todo[0][0] <= end:
            self.now, _, do = heapq.heappop(self._todo)
            do()
        self.now = end

    def push(self, changed: bool, who: int | None, noise: tuple[str, ...]) -> None:
        self.number += 1
        self.included |= changed
        if changed:
            self.cache.empty(self.now)
        for index, envoy in enumerate(self.envoys):
            gets = envoy.concerned if not noise else who is not None and bool(who >> index & 1)
            work = (envoy, self.number, self.included, gets, bool(noise) and who is None, self.now)
            envoy.free = max(self.now, envoy.free) + envoy.lag
            self.at(envoy.free, partial(self._process, *work))

    def push_again(self) -> None:
        """What it knows, to everybody."""
        for envoy in self.envoys:
            envoy.free = max(self.now, envoy.free) + envoy.lag
            self.at(envoy.free, partial(self._process, envoy, self.number, self.included, True, False, self.now))

    def _process(self, envoy: Envoy, number: int, changed: bool, gets: bool, endpoints: bool, began: float) -> None:
        if endpoints:
            self._send(envoy, "EDS", number)
            return
        envoy.pushed = (number, changed)
        if gets:
            envoy.made = self._make(envoy, began) if envoy.concerned else changed
            for short in TYPES:
                self.now += 0.001
                self._send(envoy, short, number)
            self.now -= 0.001 * len(TYPES)

    def _make(self, envoy: Envoy, asked: float) -> bool:
        if envoy.overridden:
            return False
        made = self.cache.get(envoy.pushed[1])
        self.cache.keep(made, asked)
        return made

    def _send(self, envoy: Envoy, short: str, number: int, *, at_once: bool = False, then: str = "") -> None:
        nonce = f"{_stamp(self.now, whole=True)}/{number}{next(self._order):036d}"
        envoy.sent[short] = (nonce, self.now)
        if at_once:
            envoy.acked[short] = nonce
        elif not envoy.stands:
            made = envoy.made
            self.at(self.now + envoy.answer, lambda: self._answer(envoy, short, nonce, then, made))

    def _answer(self, envoy: Envoy, short: str, nonce: str, then: str, made: bool) -> None:
        if nonce != envoy.sent[short][0]:
            return
        if envoy.refuses and short == "CDS" and made:
            envoy.errors[short] = "no such thing"
            return
        envoy.acked[short] = nonce
        if short == "CDS":
            envoy.knows = made
        if short == "CDS" and made and envoy.concerned and NEW not in envoy.watched:
            self.at(self.now + envoy.ask, lambda: self._asked_for(envoy))
        if not envoy.has and (then == NEW or (short == "EDS" and NEW in envoy.watched)):
            envoy.has, envoy.when = True, self.now

    def _asked_for(self, envoy: Envoy) -> None:
        envoy.watched.add(NEW)
        self._send(envoy, "EDS", envoy.pushed[0], then=NEW)

    def read(self, page: str, query: Mapping[str, str]) -> Any:
        self.asked += 1
        chosen = [envoy for envoy in self.envoys if query.get("proxyID", envoy.name) == envoy.name]
        match page:
            case "configz":
                return [{**RULE, "metadata": {**RULE["metadata"], "generation": 2 if self.read_it else 1}}]
            case "syncz":
                return [self._synced(envoy) for envoy in self.envoys]
            case "adsz":
                return {
                    "clients": [
                        {"connectionId": f"{one.name}-7", "watches": {TYPES["EDS"]: sorted(one.watched)}}
                        for one in chosen
                    ]
                }
            case "sidecarz":
                return {"version": f"{_stamp(0, whole=True)}/{chosen[0].pushed[0]}"} if chosen else None
        return self._dump(chosen[0])

    def tell(self, page: str, query: Mapping[str, str]) -> None:
        self.asked += 1
        match page, dict(query):
            case "cachez", {"clear": "true"}:
                self.cache.empty(self.now)
            case "adsz", {"push": "true"}:
                self.push_again()
            case _:
                raise AssertionError(page, query)

    def read_by_somebody(self, who: int) -> None:
        """Somebody else reads a proxy's configuration, as a dashboard does."""
        if self.envoys:
            envoy = self.envoys[who % len(self.envoys)]
            if not envoy.concerned:
                return
            made, asked = self.cache.get(envoy.pushed[1]), self.now
            self.at(self.now + self.slow, lambda: self.cache.keep(made, asked))

    def _synced(self, envoy: Envoy) -> Mapping[str, Any]:
        resources = {
            TYPES[short]: {
                "sent": nonce,
                "acked": envoy.acked.get(short, ""),
                "sentTime": _stamp(at) if self.times else "0001-01-01T00:00:00Z",
                "lastError": envoy.errors.get(short, ""),
            }
            for short, (nonce, at) in envoy.sent.items()
        }
        return {"proxy": envoy.name, "proxy_type": "sidecar", "resources": resources}

    def _dump(self, envoy: Envoy) -> Any:
        (number, fresh), asked = envoy.pushed, self.now
        shares = envoy.concerned and not envoy.overridden
        changed = self.cache.get(fresh) if shares else fresh and not envoy.overridden
        self.sleep(self.slow)
        if shares:
            self.cache.keep(changed, asked)
        names = [OLD, NEW] if changed else [OLD]
        made = {"istio": {"config": "/apis/networking.istio.io/v1/namespaces/demo/destination-rule/cat"}}
        metadata = {"filterMetadata": made} if changed or not self.first else {}
        clusters = [{"cluster": {"name": name, "metadata": metadata}} for name in names]
        version = f"{_stamp(0, whole=True)}/{number}"
        return {"configs": [{"versionInfo": version, "dynamicActiveClusters": clusters if envoy.concerned else []}]}


def _stamp(seconds: float, *, whole: bool = False) -> str:
    time = BEGAN + (timedelta() if whole else timedelta(seconds=seconds))
    return time.isoformat().replace("+00:00", "Z")


def hold(
    istiod: Istiod,
    *,
    timeout: float = 100,
    wait: float = 10,
    new: bool = True,
    client: Any = None,
    begun: bool = False,
    earlier: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Verification:
    clock = type("Clock", (), {"monotonic": staticmethod(lambda: istiod.now), "sleep": staticmethod(istiod.sleep)})
    barrier = Barrier(client, istiod="http://istiod", timeout=timeout, wait=wait)
    with patch.object(module, "time", clock), patch.object(barrier._istiods, "find", lambda: [istiod]):
        if begun:
            barrier.begin([key(RULE)])
        return barrier.holds(StepChange((RULE,), (), (Gray(),) if new else (), earlier=earlier), report)


moments = st.floats(0, 12)
envoys = st.builds(
    Envoy,
    name=st.uuids().map(lambda one: f"{one}.demo"),
    concerned=st.booleans(),
    lag=st.floats(0.001, 2),
    answer=st.floats(0.001, 3),
    ask=st.floats(0.001, 0.2),
)


@given(
    st.lists(envoys, max_size=6),
    st.floats(0, 5),
    st.floats(0.1, 9),
    st.lists(st.tuples(moments, st.none() | st.integers(0, 63)), max_size=6),
    st.lists(st.tuples(moments, st.integers(0, 63)), max_size=3),
    st.floats(0, 0.5),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
# The change's push waits behind three others for longer than istiod debounces.
@example([Envoy("a.demo", lag=1, answer=1, ask=0.125)], 0, 9.0, [(8.0, None)] * 3, [], 0.0, False, False, False, True)
# Somebody reads a proxy's configuration while the push is on its way to it.
@example([Envoy("a.demo"), Envoy("b.demo", lag=1)], 0, 0.1, [], [(0.3, 1)], 0.0, True, True, False, False)
@settings(max_examples=100, deadline=None)
def test_when_it_holds_every_proxy_that_subscribes_has_the_change(
    there: list[Envoy],
    reading: float,
    debounce: float,
    noise: list[tuple[float, int | None]],
    readers: list[tuple[float, int]],
    slow: float,
    times: bool,
    new: bool,
    first: bool,
    earlier: bool,
) -> None:
    istiod = Istiod(there, reading, debounce, noise, times=times, first=first, slow=slow)
    for when, who in readers:
        istiod.at(when, partial(istiod.read_by_somebody, who))
    assert hold(istiod, new=new, earlier=earlier) is Verification.VERIFIED
    late = [
        envoy.name for envoy in there if envoy.concerned and not (envoy.has and envoy.knows if new else envoy.knows)
    ]
    assert late == []


@given(
    st.lists(envoys, max_size=6).filter(lambda there: not there or any(one.concerned for one in there)),
    st.floats(0, 5),
    st.floats(0.1, 9),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_it_holds_soon_after_the_last_has_it(
    there: list[Envoy], reading: float, debounce: float, times: bool, first: bool
) -> None:
    istiod = Istiod(there, reading, debounce, [], times=times, first=first)
    assert hold(istiod) is Verification.VERIFIED
    assert istiod.now - max([reading, *(envoy.when for envoy in there)]) < 4


@given(
    st.integers(1, 4),
    st.floats(0, 5),
    st.floats(0.1, 9),
    st.lists(st.tuples(st.floats(0, 12), st.none()), max_size=3),
    st.sampled_from(["demo", "other"]),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_a_change_that_no_proxy_shows_holds_once_istiod_has_pushed_it(
    many: int, reading: float, debounce: float, noise: list[tuple[float, None]], namespace: str, begun: bool
) -> None:
    """A sidecar that starts then gets it with its first configuration."""
    there = [Envoy(f"{number}.{namespace}", concerned=False) for number in range(many)]
    istiod = Istiod(there, reading, debounce, list(noise), times=True)
    assert hold(istiod, new=False, begun=begun) is Verification.VERIFIED
    assert istiod.included
    if begun and namespace == "other" and not noise:
        assert istiod.now - (reading + debounce) < 4


def test_a_proxy_that_leaves_is_no_sign_of_a_push() -> None:
    istiod = Istiod([Envoy(f"{number}.other", concerned=False) for number in range(2)], 0.1, 6.0, [], times=True)
    istiod.at(1.0, lambda: istiod.envoys.pop(0))
    assert hold(istiod, new=False, begun=True) is Verification.VERIFIED
    assert istiod.included


def test_what_was_pushed_long_ago_takes_a_moment() -> None:
    istiod = Istiod([Envoy("a.demo"), Envoy("b.demo")], 0.0, 0.1, [], times=True)
    istiod.sleep(60)
    began = istiod.now
    assert hold(istiod, new=False, earlier=True) is Verification.VERIFIED
    assert istiod.now - began < 1.5


def test_a_proxy_where_something_else_decides_is_not_waited_for_where_another_shows_the_change() -> None:
    there = [Envoy("a.demo"), Envoy("b.demo", overridden=True)]
    istiod = Istiod(there, 0.1, 0.1, [], times=True)
    assert hold(istiod, new=False) is Verification.VERIFIED
    assert there[0].knows


@pytest.mark.parametrize("told", [True, False])
def test_what_istiod_still_makes_otherwise_is_unverified_and_names_the_proxy(told: bool) -> None:
    istiod = Istiod([Envoy("a.demo", overridden=True)], 0.1, 0.1, [], times=True)
    seen: list[Progress] = []
    with nullcontext() if told else patch.object(istiod, "tell", side_effect=Unreadable("forbidden")):
        assert hold(istiod, new=False, report=seen.append) is Verification.UNVERIFIED
    assert seen[-1].doubts == ("istiod still makes other configuration for a.demo",)


def test_a_proxy_that_does_not_answer_is_named_with_its_types() -> None:
    istiod = Istiod([Envoy("a.demo"), Envoy("b.demo", stands=True)], 0.1, 0.1, [], times=True)
    with pytest.raises(BarrierTimeout) as error:
        hold(istiod, timeout=20)
    assert error.value.waiting_for == ("b.demo: CDS, EDS",)
    assert "20 s" in str(error.value)


def test_one_that_the_change_does_not_concern_may_stand_still() -> None:
    still = Envoy("b.demo", concerned=False, stands=True)
    istiod = Istiod([Envoy("a.demo"), still], 0.1, 0.1, [(0.05, 0b10)], times=True)
    assert hold(istiod) is Verification.VERIFIED


def test_one_that_leaves_is_not_waited_for() -> None:
    istiod = Istiod([Envoy("a.demo"), Envoy("b.demo", stands=True)], 0.1, 0.1, [], times=True)
    istiod.at(9.0, lambda: istiod.envoys.pop())
    assert hold(istiod) is Verification.VERIFIED
    assert istiod.now > 9


def test_one_that_refuses_ends_it_with_envoys_words() -> None:
    istiod = Istiod([Envoy("a.demo"), Envoy("b.demo", refuses=True)], 0.1, 0.1, [], times=True)
    with pytest.raises(ProxyRefused, match=r"b\.demo refused its CDS: no such thing"):
        hold(istiod)


def test_a_sidecar_that_has_no_listeners_yet_is_waited_for() -> None:
    starting = Envoy("b.demo", concerned=False)
    istiod = Istiod([Envoy("a.demo"), starting], 0.1, 0.1, [], times=True)
    acknowledged = starting.acked.pop("LDS")
    istiod.at(6.0, lambda: starting.acked.update(LDS=acknowledged))

    def lacking(client: Any, subsets: Any, proxies: Collection[str], **_: bool) -> list[str]:
        return [] if "b.demo" in proxies else ["subset gray: b takes no connections"]

    with patch.object(module, "lacking", lacking):
        assert hold(istiod, client=object()) is Verification.VERIFIED
    assert 6 <= istiod.now < 8


def test_without_proxies_it_holds_as_soon_as_istiod_has_read_the_change() -> None:
    istiod = Istiod([], 3.0, 0.1, [], times=True)
    assert hold(istiod) is Verification.VERIFIED
    assert 3 <= istiod.now < 5


def test_an_istiod_that_never_reads_the_change_is_named() -> None:
    istiod = Istiod([Envoy("a.demo")], 1000, 0.1, [], times=True)
    with pytest.raises(BarrierTimeout, match="istiod has not read DestinationRule demo/cat yet"):
        hold(istiod, timeout=20)


def test_an_istiod_that_is_away_for_a_moment_is_waited_for() -> None:
    istiod = Istiod([Envoy("a.demo")], 0.1, 0.1, [], times=True)
    answers = istiod.read

    def read(page: str, query: Mapping[str, str]) -> Any:
        if 1 < istiod.now < 4:
            raise Unreadable("away")
        return answers(page, query)

    with patch.object(istiod, "read", read):
        assert hold(istiod) is Verification.VERIFIED
    with patch.object(istiod, "read", side_effect=Unreadable("away")):
        began = istiod.now
        assert hold(istiod, wait=7) is Verification.UNVERIFIED
    assert 7 <= istiod.now - began < 9


def test_a_thousand_proxies_take_few_requests() -> None:
    many = [Envoy(f"p{number}.demo", lag=0.001 * number) for number in range(1000)]
    istiod = Istiod(many, 0.1, 0.1, [], times=True)
    assert hold(istiod) is Verification.VERIFIED
    assert istiod.asked < 40
