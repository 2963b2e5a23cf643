"""Lanes whose finalizer somebody takes off by hand, and clones that somebody scales to 0."""

import pytest
from preview_world import LANES, lane, never_reached_unready, previews, world

from meshconfig.controller.previews import look

__all__ = ["previews", "world"]
CLONE = "cat-pr-42"


def force_off(previews):
    previews.api.answer("PATCH", f"{LANES}/pr-42", {"metadata": {"finalizers": []}})
    previews.delete()


@pytest.mark.slow
def test_what_is_left_of_a_lane_without_its_finalizer_goes_routes_first(previews, monkeypatch):
    monkeypatch.setattr(look, "LATER", 0.2)
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        force_off(previews)
        previews.until(lambda: previews.api.get("deployments", CLONE) is None, "the end of the clone")
        assert not previews.is_routed()
    assert never_reached_unready(previews.api) > 0


@pytest.mark.slow
def test_a_new_leader_takes_away_what_is_left(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
    force_off(previews)
    with previews.world.controller():
        previews.until(lambda: previews.api.get("deployments", CLONE) is None, "the end of the clone")
    assert never_reached_unready(previews.api) > 0


@pytest.mark.slow
def test_the_next_lane_of_the_name_waits_until_no_route_leads_to_the_earlier_clone(previews):
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        previews.until_quiet()
        with previews.api.lock:
            force_off(previews)
            previews.apply(lane())
        previews.until_phase("Ready")
    assert never_reached_unready(previews.api) > 0


def test_a_lane_whose_clone_is_scaled_to_0_is_not_ready_until_it_is_scaled_up(previews):
    scale = f"/apis/apps/v1/namespaces/demo/deployments/{CLONE}/scale"
    with previews.world.controller():
        previews.apply(lane())
        previews.until_phase("Ready")
        previews.api.answer("PATCH", scale, {"spec": {"replicas": 0}})
        previews.until_because("ScaledToZero")
        assert previews.status()["phase"] == "Pending"
        assert "scale it to 1" in previews.condition()["message"]
        previews.api.answer("PATCH", scale, {"spec": {"replicas": 1}})
        previews.until_phase("Ready")
