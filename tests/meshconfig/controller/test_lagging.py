"""What a controller does while the API server errs, while its watches lag, and when two threads wake it at once."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from controller_world import OBJECTS, SETTINGS, changed, document, edited
from fake_api import RefusedError
from preview_world import LANES, lane, previews, world
from prometheus_client import CollectorRegistry

from meshconfig.cluster.client import Client
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.cluster.watching import Change, Watch
from meshconfig.controller import Scope
from meshconfig.controller.controller import Leadership
from meshconfig.controller.previews import PreviewMetrics, Previews
from meshconfig.controller.queue import WorkQueue
from meshconfig.controller.reconcile import Look

__all__ = ["previews", "world"]
KEY = ("demo", "pets")


class Recorded(WorkQueue):
    """Notes the seconds until each next look."""

    def __init__(self):
        super().__init__()
        self.pauses = []

    def add(self, one, after=0.0, *, urgent=False):
        self.pauses.append(after)
        super().add(one, after, urgent=urgent)


def test_a_lane_that_could_not_be_read_once_is_looked_at_again_soon(previews):
    queue, bugs, said = Recorded(), [], []
    metrics = PreviewMetrics(CollectorRegistry())
    one = Previews(
        Client.connect(), SETTINGS, threading.Event(), print, lambda: bugs.append(1), said.append, metrics, queue=queue
    )

    def fail(method, path):
        if path.startswith(f"{LANES}/pr-42"):
            queue.close()  # the worker ends after this look
            raise RefusedError(500, "InternalError", "etcdserver: leader changed")

    previews.api.before.append(fail)
    one.see(Change.THERE, lane())
    one.work()
    assert queue.pauses[-1] <= 5
    assert bugs == []
    assert len(said) == 1
    assert "leader changed" in said[0]
    assert "Traceback" not in said[0]


def test_a_spec_that_the_watch_has_not_told_of_yet_is_applied_by_one_plan(previews, monkeypatch):
    world, lags, give = previews.world, threading.Event(), Watch._give

    def late(self, change, one):
        while self.kind == "LaneGroup" and lags.is_set():
            threading.Event().wait(0.02)
        return give(self, change, one)

    monkeypatch.setattr(Watch, "_give", late)
    with world.controller():
        world.until_ready()
        lags.set()
        try:
            world.apply(changed(document(), lambda spec: spec["lanes"].pop("gray")))
            world.api.put(edited(world.api.get("virtualservices", "mouse-svc"), "http"))  # wakes the group
            world.until(lambda: not any("gray" in name for name in world.lane_routes()), "the new spec")
            world.until_ready()
        finally:
            lags.clear()
    assert previews.revisions() == 2


def leader():
    """Whose threads do not run."""
    counted: Any = SimpleNamespace(failed=print)
    groups: Any = SimpleNamespace(forget=print)
    metrics = PreviewMetrics(CollectorRegistry())
    return Leadership(None, None, Scope(("demo",), "demo"), SETTINGS, print, counted, groups, metrics)


def test_a_group_that_is_deleted_and_created_again_between_two_lists_is_looked_at():
    one = leader()
    for uid in ("1", "2"):
        there = GroupObject({**document(), "metadata": {**document()["metadata"], "uid": uid, "generation": 1}})
        assert one._group_seen(Change.THERE, there)
        assert not one._group_seen(Change.THERE, there)


class Between(set):
    """Lets another thread in after it was asked."""

    def __init__(self, do):
        self.do = [do]

    def __contains__(self, one):
        found = super().__contains__(one)
        while self.do:
            self.do.pop()()
        return found


def test_a_plan_that_a_lane_asks_for_while_a_look_begins_is_not_lost():
    one, asked = leader(), []
    one._asked[KEY] = SimpleNamespace(generation=1)
    one._mesh = Between(lambda: one._plan(KEY, 0.0))

    def look(group, mesh):
        asked.append(mesh)
        return Look()

    looks: Any = SimpleNamespace(look=look)
    one._rollout_moved(*KEY)
    for _ in range(2):
        one._look(looks, one.queue.take())
        one.queue.done(KEY)
    assert asked == [False, True]


@pytest.mark.slow
def test_a_lane_ends_where_its_group_is_held_by_a_finalizer_of_others_alone(previews):
    """As a new leader finds it, whose forerunner has taken the routes away."""
    api = previews.api
    previews.world.apply(document(finalizers=["example.com/x"]))
    previews.world.delete()
    previews.apply(lane(), finalizers=["graylane.dev/lane"])
    versions = [{"service": "cat", "labels": {"graylane.dev/lane": "pr-42"}}]
    api.answer("PATCH", f"{LANES}/pr-42/status", {"status": {"versions": versions}})
    with previews.world.controller():
        previews.until_gone()
    assert api.answer("GET", f"{OBJECTS}/pets", None)["metadata"]["finalizers"] == ["example.com/x"]
