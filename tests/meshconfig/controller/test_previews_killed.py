"""A controller that is killed at any of its writes: the next one takes a Lane to its end, and no request is lost."""

import threading
from contextlib import contextmanager

import pytest
from fake_api import RefusedError
from preview_world import cron_job, lane, never_reached_unready, previews, world

__all__ = ["previews", "world"]
ALL = range(1, 31)
WRITES = ("POST", "PATCH", "PUT", "DELETE")


@contextmanager
def dying(previews, writes):
    """The API server lets so many writes through, and then nothing any more, as if the controller were killed.

    Its Lease is given back, so that the next controller need not wait for it to expire.
    """
    left, died = [writes], threading.Event()

    def nothing_more(method, path):
        if "/leases" in path:
            return
        left[0] -= method in WRITES
        if left[0] < 0:
            died.set()
            raise RefusedError(403, "Forbidden", "the controller is dead")

    previews.api.before.append(nothing_more)
    try:
        with previews.world.controller():
            yield died
    finally:
        previews.api.before.remove(nothing_more)


@pytest.mark.slow
@pytest.mark.parametrize("writes", ALL)
def test_a_kill_while_a_lane_is_made(previews, writes):
    previews.api.put(cron_job("make", "make"))
    previews.apply(lane(versions={"cat": {"from": "v1"}, "mouse": {"from": "v1"}}, hooks={"before": "make"}))
    with dying(previews, writes) as died:
        died.wait(2)
    with previews.world.controller():
        previews.until_phase("Ready")
        assert {"cat-pr-42", "mouse-pr-42"} <= previews.api.names("deployments")
    assert len(previews.api.names("jobs")) == 1
    assert never_reached_unready(previews.api) > 0
    assert never_reached_unready(previews.api, service="mouse", host="mouse-svc") > 0


@pytest.mark.slow
@pytest.mark.parametrize("writes", ALL)
def test_a_kill_while_a_lane_ends(previews, writes):
    previews.api.put(cron_job("drop", "drop"))
    with previews.world.controller():
        previews.apply(lane(versions={"cat": {"from": "v1"}, "mouse": {"from": "v1"}}, hooks={"after": "drop"}))
        previews.until_phase("Ready")
    previews.delete()
    with dying(previews, writes) as died:
        died.wait(2)
    with previews.world.controller():
        previews.until_gone()
        previews.world.until_ready()
    assert {name for name in previews.api.names("deployments") if "pr-42" in name} == set()
    assert len(previews.api.names("jobs")) == 1
    assert not previews.is_routed()
    assert never_reached_unready(previews.api) > 0
    assert never_reached_unready(previews.api, service="mouse", host="mouse-svc") > 0
