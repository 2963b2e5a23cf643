"""`graylane controller --finalizers`: what is left for a controller to end, for whoever wants to uninstall it."""

import pytest
from controller_world import document, world
from fake_api import RefusedError

__all__ = ["world"]


@pytest.fixture
def put(world):
    def put(kind, name, namespace, *finalizers):
        metadata = {"name": name, "namespace": namespace, "finalizers": list(finalizers)}
        world.api.put({"apiVersion": "graylane.dev/v1", "kind": kind, "metadata": metadata, "spec": document()["spec"]})

    return put


def test_nothing_left_is_no_output_and_exit_0(graylane, put):
    put("LaneGroup", "done", "demo")
    put("LaneGroup", "others", "demo", "example.com/finalizer")
    assert graylane("controller", "-n", "demo", "--finalizers") == (0, "", "")


def test_each_object_that_needs_a_controller_is_named(graylane, put):
    put("LaneGroup", "pets", "demo", "example.com/finalizer", "graylane.dev/routes")
    put("Rollout", "cat-v2", "demo", "graylane.dev/rollout")
    put("LaneGroup", "bank", "shop", "graylane.dev/routes")
    put("LaneGroup", "far", "elsewhere", "graylane.dev/routes")
    code, out, err = graylane("controller", "-n", "demo", "-n", "shop", "--finalizers")
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        "LaneGroup demo/pets",
        "LaneGroup shop/bank",
        "Rollout demo/cat-v2",
        "a controller has to end the deletion of 3 objects: delete them while it runs",
    ]
    assert "LaneGroup elsewhere/far" in graylane("controller", "-A", "--finalizers")[1]


def test_it_begins_nothing(graylane, world, put):
    put("LaneGroup", "pets", "demo", "graylane.dev/routes")
    graylane("controller", "-n", "demo", "--finalizers")
    assert {method for method, _ in world.api.seen} == {"GET"}


def test_an_error_is_no_answer(graylane, world):
    """Exit status 1 would say that objects are left."""

    def refuse(method, where, *more):
        if "lanegroups" in where:
            raise RefusedError(403, "Forbidden", "lanegroups is forbidden")

    world.api.before.append(refuse)
    code, out, err = graylane("controller", "-n", "demo", "--finalizers")
    assert (code, out) == (2, "")
    assert "forbidden" in err
