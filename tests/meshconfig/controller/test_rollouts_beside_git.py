"""A Rollout beside a LaneGroup that Git owns: the controller drives it, never writes the spec, says what to commit."""

import json

import pytest
from controller_world import changed, document, world
from rollout_world import rollout

from meshconfig.cluster.client import Client
from meshconfig.rollout import store
from meshconfig.rollout.events import Abort, Approve

__all__ = ["world"]

pytestmark = pytest.mark.slow  # rollouts wait, as they do in life
ROLLOUTS = "/apis/graylane.dev/v1/namespaces/demo/rollouts"
STEPS = [{"weight": 10}, {"pause": {}}, {"weight": 100}]


def start(world, steps=STEPS, **more):
    value = json.loads(rollout(steps, keepOld=None, **more).model_dump_json(by_alias=True, exclude_unset=True))
    value["apiVersion"] = "graylane.dev/v1"
    world.api.answer("PATCH", f"{ROLLOUTS}/cat-v2?fieldManager=kubectl", value)


def status(world):
    return (world.api.get("rollouts", "cat-v2") or {}).get("status", {})


def until_stage(world, *stages):
    world.until(lambda: status(world).get("stage") in stages, f"stage {stages}")


def say(event):
    store.say(Client.connect(), "demo", "cat-v2", event)


def weights(world):
    """The versions that untagged requests of cat get at the last route."""
    routes = world.api.get("virtualservices", "cat-svc")["spec"]["http"][-1]["route"]
    return {one["destination"]["subset"]: one.get("weight", 100) for one in routes}


def now_v2(spec):
    spec["lanes"]["prod"]["versions"].update(cat="v2", mouse="v2")


@pytest.fixture
def git(world):
    """The spec as Git has it, applied and true."""
    with world.controller():
        world.apply(document())
        world.until_ready()
        yield world


def test_a_rollout_lies_over_git_until_git_says_the_same(git):
    spec = git.object()["spec"]
    start(git)
    until_stage(git, "awaiting approval")
    git.until(lambda: weights(git) == {"v1": 90, "v2": 10})
    git.until(lambda: git.object()["status"].get("rollouts") == ["cat-v2"])
    say(Approve("bob"))
    until_stage(git, "succeeded")
    git.until(lambda: weights(git) == {"v2": 100})
    assert git.object()["spec"] == spec, "nobody but Git writes it"
    git.until(lambda: "spec.lanes.prod.versions.cat: v2" in git_message(git), "what to commit")
    git.apply(changed(document(), now_v2))
    git.until_ready()
    git.until(lambda: "rollouts" not in git.object()["status"], "the rollout is done with")
    assert weights(git) == {"v2": 100}


def git_message(world):
    found = {one["type"]: one["message"] for one in status(world).get("conditions", ())}
    return found.get("Ready", "")


def test_a_change_of_git_elsewhere_is_laid_under_an_active_rollout(git):
    start(git)
    until_stage(git, "awaiting approval")
    git.apply(changed(document(), lambda spec: spec["services"]["dog"].update(policy={"timeout": "7s"})))
    git.until(lambda: "7s" in json.dumps(git.api.get("virtualservices", "dog-svc")))
    assert weights(git) == {"v1": 90, "v2": 10}
    assert status(git)["stage"] == "awaiting approval"


def test_a_commit_that_contradicts_stalls_the_rollout_and_moves_nothing(git):
    start(git)
    until_stage(git, "awaiting approval")
    before = weights(git)
    git.apply(changed(document(), lambda spec: spec["services"]["cat"]["versions"].pop("v2") and _no_gray(spec)))
    git.until(lambda: git.conditions().get("Stalled", {}).get("reason") == "ContradictsRollout")
    git.until(lambda: any(one["type"] == "Stalled" for one in status(git)["conditions"]))
    assert weights(git) == before
    git.apply(document())
    git.until_ready()
    git.until(lambda: all(one["type"] != "Stalled" for one in status(git)["conditions"]))


def _no_gray(spec):
    spec["lanes"]["gray"]["versions"].pop("cat")


def test_an_abort_leads_to_what_git_says(git):
    start(git)
    until_stage(git, "awaiting approval")
    say(Abort("bob", "not today"))
    until_stage(git, "aborted")
    git.until(lambda: weights(git) == {"v1": 100})
    git.until(lambda: "rollouts" not in git.object()["status"])


def test_a_deleted_rollout_goes_back_before_it_goes(git):
    start(git)
    until_stage(git, "awaiting approval")
    git.api.answer("DELETE", f"{ROLLOUTS}/cat-v2", None)
    git.until(lambda: not git.api.get("rollouts", "cat-v2"))
    git.until(lambda: weights(git) == {"v1": 100})


def test_all_deleted_at_once_ends_without_a_hang(git):
    start(git)
    until_stage(git, "awaiting approval")
    git.delete()
    git.api.answer("DELETE", f"{ROLLOUTS}/cat-v2", None)
    git.until(lambda: not git.object() and not git.api.get("rollouts", "cat-v2"))
    assert git.routes() == set()


def test_a_rollout_that_is_there_before_its_group_begins_once_that_is_true(world):
    with world.controller():
        start(world)
        world.until(lambda: "NoGroup" in str(status(world)))
        world.apply(document())
        until_stage(world, "awaiting approval")
        world.until(lambda: weights(world) == {"v1": 90, "v2": 10})
