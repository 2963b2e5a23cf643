"""How often a barrier looks: seldom enough for istiod and the API server, and often enough not to be late."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from played_istiod import Envoy, Istiod, hold

from meshconfig.cluster.barrier import Verification
from meshconfig.cluster.barrier import barrier as module


@given(st.floats(0.1, 9), st.floats(0.001, 2))
@settings(max_examples=50, deadline=None)
def test_looks_are_frequent_enough_for_the_end_not_to_be_missed_for_long(debounce: float, lag: float) -> None:
    istiod = Istiod([Envoy("a.demo", lag=lag)], 0.1, debounce, [], times=True)
    assert hold(istiod) is Verification.VERIFIED
    (envoy,) = istiod.envoys
    pauses = 2 * (0.1 + envoy.when / 8)  # the push is seen by one look; the configuration that it brought, by the next
    assert istiod.now - envoy.when < pauses + module.SETTLE + 0.5


def test_endpoints_are_read_at_the_start_and_the_end_and_not_while_proxies_are_waited_for() -> None:
    istiod = Istiod([Envoy("a.demo")], 0.1, 6.0, [], times=True)
    asked: list[float] = []

    def lacking(*_: Any, **__: bool) -> list[str]:
        asked.append(istiod.now)
        return []

    with patch.object(module, "lacking", lacking):
        assert hold(istiod, client=object()) is Verification.VERIFIED
    assert asked[0] == 0
    assert asked[-1] == istiod.now
    assert len(asked) <= 4


def test_endpoints_that_go_while_proxies_are_waited_for_are_noticed() -> None:
    istiod = Istiod([Envoy("a.demo")], 0.1, 6.0, [], times=True)

    def lacking(*_: Any, **__: bool) -> list[str]:
        return ["subset gray: no ready endpoint"] if 1 < istiod.now < 20 else []

    with patch.object(module, "lacking", lacking):
        assert hold(istiod, client=object()) is Verification.VERIFIED
    assert istiod.now > 20


def test_where_looks_are_slow_istiod_has_as_much_time_for_its_push() -> None:
    istiod = Istiod([Envoy("a.demo")], 0.1, 5.0, [], times=True, slow=0.8)
    read, dumps = istiod.read, []

    def counted(page: str, query: Mapping[str, str]) -> Any:
        if page == "config_dump":
            dumps.append(istiod.now)
        return read(page, query)

    with patch.object(istiod, "read", counted):
        assert hold(istiod) is Verification.VERIFIED
    assert all(later - earlier > 2 * istiod.slow - 0.01 for earlier, later in pairwise(dumps))
    assert len(dumps) > 2


def test_what_proxies_acknowledge_while_large_pages_are_read_counts_at_once() -> None:
    istiod = Istiod([Envoy("a.demo", answer=1.0)], 0.1, 0.5, [], times=True, slow=2.0)
    read, dumps = istiod.read, []

    def counted(page: str, query: Mapping[str, str]) -> Any:
        found = read(page, query)
        if page == "config_dump":
            dumps.append(istiod.now)
        return found

    with patch.object(istiod, "read", counted):
        assert hold(istiod, new=False) is Verification.VERIFIED
    assert istiod.now - dumps[-1] < module.SETTLE + 0.1
