"""What a group's object says while `graylane move` takes the group to the other backend."""

import pytest
from controller_world import GATEWAY_GROUP, NOWHERE, document, world
from fake_api import RefusedError

from meshconfig.controller import controller, reconcile

__all__ = ["world"]

OLD_ROUTES = {"istio": "httproutes", "gateway": "virtualservices"}


@pytest.fixture
def move(world, graylane, tmp_path, monkeypatch):
    """Moves the group, to Istio's own resources by itself; `when` is called before each of the old routes goes.

    Gives the exit code.
    """
    monkeypatch.setattr(reconcile, "BUSY", 0.05)
    file = tmp_path / "graylane.yaml"

    def run(when, to="istio", spec=GATEWAY_GROUP):
        file.write_text(spec)

        def hook(method, url):
            if method == "DELETE" and f"/{OLD_ROUTES[to]}/" in url:
                when()

        world.api.before.append(hook)
        options = (f"--istiod={NOWHERE}", "--wait=0", "--drain=0")
        return graylane("move", "-f", file, "--to", to, *options)[0]

    return run


def is_moving(world):
    conditions = world.conditions()
    return conditions.get("Reconciling", {}).get("reason") == "Moving" and "Stalled" not in conditions


@pytest.mark.slow
def test_a_group_that_moves_is_worked_on_and_no_person_is_needed(world, move):
    with world.controller():
        world.apply(document(GATEWAY_GROUP))
        world.until_ready()
        assert move(lambda: world.until(lambda: is_moving(world), "Moving")) == 0
        world.until_ready()
    assert world.object()["spec"]["backend"] == "istio"
    assert not world.events("InvalidSpec")


@pytest.mark.slow
def test_a_group_that_moves_where_http_routes_are_watched_already_is_left_to_the_move(world, move, monkeypatch):
    monkeypatch.setattr(controller, "SETTLE", 0.05)
    spec = GATEWAY_GROUP.replace("backend: gateway", "backend: istio")
    revisions = {f"graylane-pets-r{number}" for number in (1, 2)}
    with world.controller():
        world.apply(document(GATEWAY_GROUP.replace("cat", "mouse"), name="mice"))
        world.until_ready("mice")
        world.apply(document(spec))
        world.until_ready()
        assert move(lambda: world.until(lambda: is_moving(world), "Moving"), "gateway", spec) == 0
        world.until_ready()
        assert {one for one in world.api.names("configmaps") if "graylane-pets-r" in one} == revisions
    assert world.object()["spec"]["backend"] == "gateway"
    assert world.api.names("virtualservices") == set()
    assert not {"Drift", "InvalidSpec"} & set(world.reasons())


def test_a_move_that_was_cut_off_needs_a_person(world, move):
    def refuse():
        raise RefusedError(403, "Forbidden", "no more")

    with world.controller():
        world.apply(document(GATEWAY_GROUP))
        world.until_ready()
        assert move(refuse) == 1
        world.until(lambda: "Stalled" in world.conditions(), "Stalled")
    assert "as a move was cut off: graylane move -f FILE --to" in world.conditions()["Stalled"]["message"]
