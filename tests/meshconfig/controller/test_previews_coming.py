"""What a group has of Lanes whose Pods are not ready yet: their versions, and no route."""

import pytest
from preview_world import IMAGE, cron_job, lane, never_reached_unready, previews, world
from rollout_world import GROUP

from meshconfig.cluster.change import Wanted
from meshconfig.cluster.client import Client
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.rollout import beside

__all__ = ["previews", "world"]


def until_subset(previews, name="pr-42", there=True):
    previews.until(lambda: (name in previews.subsets()) == there, f"subset {name}")


def written(previews, plural, name):
    """How often a resource was written so far."""
    return sum(key[::2] == (plural, name) for _, _, key, _ in previews.api.events)


def test_its_subset_is_there_before_its_pods_are_ready_and_then_only_routes_are_written(previews):
    previews.api.stuck.add(IMAGE)
    with previews.world.controller():
        previews.apply(lane())
        until_subset(previews)
        previews.world.until_ready()
        assert not previews.is_routed()
        assert "versions" not in previews.status()  # no route was ever led there
        assert previews.world.object()["status"]["lanes"] == ["prod", "gray"]
        before = written(previews, "destinationrules", "cat-svc")
        previews.api.run_again(IMAGE)
        previews.until_phase("Ready")
        assert previews.is_routed()
    assert written(previews, "destinationrules", "cat-svc") == before
    assert never_reached_unready(previews.api) > 0


@pytest.mark.slow
def test_one_that_ends_before_its_pods_are_ready_leaves_no_subset(previews):
    previews.api.stuck.add(IMAGE)
    with previews.world.controller():
        previews.until_quiet()
        previews.apply(lane())
        until_subset(previews)
        previews.until_quiet()
        previews.delete()
        previews.until_gone()
        until_subset(previews, there=False)
        previews.world.until_ready()
    assert previews.api.get("deployments", "cat-pr-42") is None


@pytest.mark.slow
def test_several_at_once_are_one_plan_or_two(previews):
    previews.api.stuck.add(IMAGE)
    names = [f"pr-{number}" for number in range(6)]
    with previews.world.controller():
        previews.world.until_ready()
        before = previews.revisions()
        for name in names:
            previews.apply(lane(name))
        for name in names:
            until_subset(previews, name)
        previews.world.until_ready()
        assert previews.revisions() - before <= 2
        assert previews.condition("pr-0")["reason"] == "Pods"


@pytest.mark.slow
def test_a_lane_that_is_ready_does_not_wait_for_one_that_comes(previews):
    previews.api.stuck.add("shop/cat:late")
    with previews.world.controller():
        previews.apply(lane("pr-1", versions={"cat": {"from": "v1", "image": "shop/cat:late"}}))
        previews.apply(lane())
        previews.until_phase("Ready")
        until_subset(previews, "pr-1")
        assert not previews.is_routed("pr-1")
    assert never_reached_unready(previews.api) > 0


@pytest.mark.slow
def test_one_whose_job_before_runs_has_its_subset_too(previews):
    previews.api.put(cron_job("make", "make"))
    previews.api.stuck.add("make")
    with previews.world.controller():
        previews.apply(lane(hooks={"before": "make"}))
        until_subset(previews)
        assert previews.api.get("deployments", "cat-pr-42") is None


@pytest.mark.slow
def test_the_plan_that_a_person_is_shown_keeps_what_is_coming(previews):
    previews.api.stuck.add(IMAGE)
    with previews.world.controller():
        previews.apply(lane())
        until_subset(previews)
        previews.world.until_ready()
        wanted = Wanted("pets", "demo", groups(parse(GROUP, "graylane.yaml"))[0].spec)
        prepared = beside.planned(Client.connect(), wanted, print)
    assert (prepared.done, [str(one) for one in prepared.differences]) == (True, [])


@pytest.mark.slow
def test_a_lane_that_is_ready_before_the_plan_has_its_lock_is_in_it(previews):
    """Another one has the group planned; the lock is asked for again and again meanwhile."""
    previews.api.stuck.add("shop/cat:late")
    came = []

    def becomes_ready(method, url):
        if came or method == "GET" or "/leases/" not in url or "pets" not in url or not previews.status():
            return
        came.append(previews.revisions())
        previews.api.run_again("shop/cat:late")
        previews.until(lambda: previews.status().get("versions"), "ready Pods")

    with previews.world.controller():
        previews.apply(lane(versions={"cat": {"from": "v1", "image": "shop/cat:late"}}))
        until_subset(previews)
        previews.until_quiet()
        previews.api.before.append(becomes_ready)
        previews.apply(lane("pr-1"))
        previews.until_phase("Ready")
        previews.until_phase("Ready", "pr-1")
    assert came
    assert previews.revisions() - came[0] == 1
