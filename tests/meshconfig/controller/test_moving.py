"""What a group's object says while `graylane move` takes the group to the other backend."""

import pytest
from controller_world import GATEWAY_GROUP, NOWHERE, document, world
from fake_api import RefusedError

from meshconfig.controller import reconcile

__all__ = ["world"]


@pytest.fixture
def move(world, graylane, tmp_path, monkeypatch):
    """Moves the group to Istio's own resources; `when` is called before each HTTPRoute goes. Gives the exit code."""
    monkeypatch.setattr(reconcile, "BUSY", 0.05)
    file = tmp_path / "graylane.yaml"
    file.write_text(GATEWAY_GROUP)

    def run(when):
        def hook(method, url):
            if method == "DELETE" and "/httproutes/" in url:
                when()

        world.api.before.append(hook)
        options = (f"--istiod={NOWHERE}", "--wait=0", "--drain=0")
        return graylane("move", "-f", file, "--to", "istio", *options)[0]

    return run


def test_a_group_that_moves_is_worked_on_and_no_person_is_needed(world, move):
    def is_moving():
        conditions = world.conditions()
        return conditions.get("Reconciling", {}).get("reason") == "Moving" and "Stalled" not in conditions

    with world.controller():
        world.apply(document(GATEWAY_GROUP))
        world.until_ready()
        assert move(lambda: world.until(is_moving, "Moving")) == 0
        world.until_ready()
    assert world.object()["spec"]["backend"] == "istio"
    assert not world.events("InvalidSpec")


def test_a_move_that_was_cut_off_needs_a_person(world, move):
    def refuse():
        raise RefusedError(403, "Forbidden", "no more")

    with world.controller():
        world.apply(document(GATEWAY_GROUP))
        world.until_ready()
        assert move(refuse) == 1
        world.until(lambda: "Stalled" in world.conditions(), "Stalled")
    assert "as a move was cut off: graylane move -f FILE --to" in world.conditions()["Stalled"]["message"]
