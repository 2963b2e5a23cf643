"""A controller of several namespaces, and what is left for one to end."""

from controller_world import document, world

__all__ = ["world"]


def elsewhere(namespace):
    one = document()
    return {**one, "metadata": {**one["metadata"], "namespace": namespace}}


def apply(world, one):
    metadata = one["metadata"]
    where = f"/apis/graylane.dev/v1/namespaces/{metadata['namespace']}/lanegroups/{metadata['name']}"
    world.api.answer("PATCH", f"{where}?fieldManager=kubectl", one)


def ready(world, namespace):
    status = (world.api.get("lanegroups", "pets", namespace) or {}).get("status", {})
    return [one["reason"] for one in status.get("conditions", ()) if one["type"] == "Ready"]


def test_it_works_for_the_namespaces_that_are_named_and_no_others(world):
    with world.controller(namespaces=("demo", "shop")):
        for namespace in ("demo", "shop", "bank"):
            apply(world, elsewhere(namespace))
        world.until(lambda: ready(world, "demo") and ready(world, "shop"), "both are looked at")
        watched = {
            url.partition("/namespaces/")[2].partition("/")[0] for method, url in world.api.seen if method == "WATCH"
        }
    assert watched == {"demo", "shop"}
    assert ready(world, "bank") == []
    assert "leads: namespaces demo, shop" in world.said
