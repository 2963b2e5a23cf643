"""The barrier against an istiod and Envoys that are played, with any delays: when it holds, they have the change."""

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from played_istiod import ROUTES, Envoy, Istiod, hold

from meshconfig.cluster.barrier import BarrierTimeout, Progress, ProxyRefused, Verification
from meshconfig.cluster.barrier import barrier as module
from meshconfig.cluster.barrier.istiod import Unreadable

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
    st.lists(st.tuples(moments, envoys), max_size=2),
)
# The change's push waits behind three others for longer than istiod debounces.
@example(
    [Envoy("a.demo", lag=1, answer=1, ask=0.125)], 0, 9.0, [(8.0, None)] * 3, [], 0.0, False, False, False, True, []
)
# Somebody reads a proxy's configuration while the push is on its way to it.
@example([Envoy("a.demo"), Envoy("b.demo", lag=1)], 0, 0.1, [], [(0.3, 1)], 0.0, True, True, False, False, [])
# A sidecar connects with the change's push, whose way to another takes longer; that one shows it by istiod's cache.
@example([Envoy("a.demo", lag=2)], 0, 1, [(0.5, 1)], [], 0.0, True, False, False, False, [(1.1, Envoy("b.demo"))])
# Nobody has the host when the change is written, and a sidecar that has it connects before the push.
@example(
    [Envoy("a.demo", concerned=False, lag=1, answer=1)],
    0,
    4,
    [],
    [],
    0,
    True,
    True,
    True,
    False,
    [(3.0, Envoy("b.demo", lag=1, answer=1))],
)
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
    joining: list[tuple[float, Envoy]],
) -> None:
    istiod = Istiod(list(there), reading, debounce, noise, times=times, first=first, slow=slow)
    for when, who in readers:
        istiod.at(when, partial(istiod.read_by_somebody, who))
    for when, envoy in joining:
        istiod.at(when, partial(istiod.connect, envoy))
    assert hold(istiod, new=new, earlier=earlier) is Verification.VERIFIED
    concerned = [envoy for envoy in istiod.envoys if envoy.concerned]
    assert [one.name for one in concerned if not (one.has and one.knows if new else one.knows)] == []


@pytest.mark.parametrize("making", [0.1, 0.3])
@pytest.mark.parametrize("debounce", [2.2, 3.1, 4.0])
def test_what_is_made_for_one_proxy_and_not_sent_yet_is_no_sign_that_others_have_it(
    debounce: float, making: float
) -> None:
    """istiod keeps it in its cache, and shows it for those whose turn has not come."""
    there = [Envoy(f"{number}.demo", lag=0.02 * number) for number in range(10)]
    istiod = Istiod([*there, Envoy("z.demo", lag=making + 1.5)], 0.0, debounce, [], times=True, making=making)
    assert hold(istiod, new=False, begun=True) is Verification.VERIFIED
    assert [one.name for one in istiod.envoys if not one.knows] == []


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


@pytest.mark.slow
@given(
    st.lists(envoys, min_size=1, max_size=6).filter(lambda there: any(one.concerned for one in there)),
    st.lists(st.tuples(st.floats(0.2, 3), envoys), min_size=1, max_size=3),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_pods_that_come_do_not_hold_up_a_change_that_the_others_have(
    there: list[Envoy], joining: list[tuple[float, Envoy]], times: bool, earlier: bool
) -> None:
    """They get it with a later push: of endpoints, which none of the others is sent any configuration with."""
    noise: list[tuple[float, int | None]] = [(when - 0.01, None) for when, _ in joining]
    istiod = Istiod(there, 0.0, 0.1, noise, times=times)
    for when, envoy in joining:
        istiod.at(when, partial(istiod.connect, envoy))
    if earlier:
        istiod.sleep(60)
    began = istiod.now
    assert hold(istiod, earlier=earlier) is Verification.VERIFIED
    assert [one.name for one in istiod.envoys if one.concerned and not one.has] == []
    assert istiod.now - max([began, *(envoy.when for envoy in istiod.envoys)]) < 9


@pytest.mark.parametrize("pushes", [True, False])
def test_pods_that_come_one_after_another_do_not_postpone_the_end(pushes: bool) -> None:
    """With their endpoints pushed to the others, or not."""
    times = [0.3 * (1 + number) for number in range(60)]
    noise: list[tuple[float, int | None]] = [(when - 0.01, None) for when in times if pushes]
    istiod = Istiod([Envoy("a.demo"), Envoy("b.demo")], 0.0, 0.1, noise, times=True)
    for when in times:
        istiod.at(when, partial(istiod.connect, Envoy(f"{when}.demo", lag=0.001, answer=0.05, ask=0.01)))
    assert hold(istiod) is Verification.VERIFIED
    assert [one.name for one in istiod.envoys if one.concerned and not one.has] == []
    assert istiod.now - max(one.when for one in istiod.envoys[:2]) < 3


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


def test_where_nothing_is_written_only_endpoints_are_waited_for() -> None:
    """A subset that every proxy has had for long, and that requests are led to next."""
    istiod = Istiod([Envoy("a.demo"), Envoy("b.demo")], 0.0, 0.1, [], times=True)
    istiod.sleep(60)
    began = istiod.now
    assert hold(istiod, nothing=True) is Verification.VERIFIED
    assert istiod.now - began < 0.5


def test_where_nothing_is_written_a_proxy_without_the_cluster_is_waited_for() -> None:
    istiod = Istiod([Envoy("a.demo"), Envoy("b.demo")], 5.0, 0.1, [], times=True)
    assert hold(istiod, nothing=True) is Verification.VERIFIED
    assert all(one.knows for one in istiod.envoys)


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


def test_routes_beside_those_of_another_backend_have_to_be_read_and_may_stay_hidden() -> None:
    for beside, verdict in ((True, Verification.VERIFIED), (False, Verification.UNVERIFIED)):
        istiod = Istiod([Envoy("a.demo"), Envoy("b.demo")], 20.0, 0.1, [], times=True, written=ROUTES)
        assert hold(istiod, new=False, beside=beside) is verdict
        assert istiod.read_it
        assert (istiod.now < 26) is beside


@pytest.mark.parametrize(("routes", "gets_them"), [(4.5, True), (100.0, False)])
def test_one_that_connects_anew_is_waited_for_some_seconds_until_it_is_sent_routes(
    routes: float, gets_them: bool
) -> None:
    """An Envoy keeps the routes that it has when it goes to another istiod, which first sends it clusters."""
    moved = Envoy("b.demo")
    istiod = Istiod([Envoy("a.demo"), moved], 0.1, 0.1, [], times=True, written=ROUTES)
    istiod.at(1.0, partial(istiod.connect_anew, moved, routes))
    assert hold(istiod, new=False, beside=True, begun=True) is Verification.VERIFIED
    assert ("RDS" in moved.acked) is gets_them
    assert 5 < istiod.now < 11


def test_one_that_starts_is_not_waited_for_until_it_has_routes() -> None:
    """It routes nothing before it has listeners."""
    istiod = Istiod([Envoy("a.demo"), Envoy("b.demo")], 0.1, 0.1, [], times=True, written=ROUTES)
    istiod.at(1.0, partial(istiod.start, Envoy("new.demo")))
    assert hold(istiod, new=False, beside=True, begun=True) is Verification.VERIFIED
    assert istiod.now < 5


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


@pytest.mark.slow
def test_a_thousand_proxies_take_few_requests() -> None:
    many = [Envoy(f"p{number}.demo", lag=0.001 * number) for number in range(1000)]
    istiod = Istiod(many, 0.1, 0.1, [], times=True)
    assert hold(istiod) is Verification.VERIFIED
    assert istiod.asked < 40
