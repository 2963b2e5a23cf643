"""Rollouts that earlier releases kept in ConfigMaps become objects: each where it was, whenever that is cut off."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from fake_api import RefusedError
from rollout_objects import config_map
from rollout_world import Run, group, rollout
from runner_world import cluster, mesh

from meshconfig.cluster import lease, lock
from meshconfig.cluster.revision import document
from meshconfig.errors import ClusterError
from meshconfig.rollout import migrate
from meshconfig.rollout.events import Approve
from meshconfig.rollout.state import Phase, Stage, State

__all__ = ["cluster", "mesh"]

SHORT = [{"weight": 10}, {"pause": {}}, {"weight": 100}]
CONFIG_MAP = "graylane-rollout.cat-v2"
STORED = sorted((Path(__file__).parent / "stored").glob("*.json"))  # as earlier releases wrote them


@pytest.fixture
def before(mesh):
    """A rollout that awaits approval, as an earlier release has left it."""
    mesh.start(rollout(SHORT, keepOld=None))
    state = mesh.run(until=lambda state: state.stage is Stage.APPROVAL)
    del mesh.api.objects["rollouts", "demo", "cat-v2"]
    state = state.model_copy(update={"spec_generation": 0})
    mesh.api.put(config_map(state.to_json(), base=document(group())))
    return state


def taken(mesh, **more):
    return list(migrate.migrate(mesh.client, "demo", **more))


def test_an_active_one_goes_on_exactly_where_it_was(mesh, before):
    (one,) = taken(mesh)
    assert (one.name, one.done, one.wrong) == (
        "rollout demo/cat-v2", "is taken over: Paused, awaiting approval", "",
    )  # fmt: skip
    assert CONFIG_MAP not in mesh.api.names("configmaps")
    assert mesh.state() == before.model_copy(update={"spec_generation": 1})
    mesh.say(Approve("bob"))
    assert mesh.run().phase is Phase.SUCCEEDED
    assert mesh.state().generation == before.generation


def test_a_dry_run_writes_nothing(mesh, before):
    mesh.api.seen.clear()
    (one,) = taken(mesh, dry_run=True)
    assert one.done == "would be taken over: Paused, awaiting approval"
    assert {method for method, _ in mesh.api.seen} == {"GET"}


@pytest.mark.slow
@pytest.mark.parametrize("number", range(12))
def test_cut_off_at_any_write_it_can_be_repeated(mesh, before, number):
    """And nobody begins it anew in between."""
    left = iter(range(number))
    cut = []

    def cut_off(method, path):
        if method != "GET" and "/leases" not in path and next(left, None) is None:
            cut.append(path)
            raise RefusedError(500, "InternalError", "cut off")

    mesh.api.before.append(cut_off)
    taken(mesh)
    mesh.api.before.clear()
    if mesh.object() and not mesh.has_state():
        mesh.worker().run()
        assert not mesh.has_state()
    taken(mesh)
    assert mesh.state() == before.model_copy(update={"spec_generation": 1})
    assert CONFIG_MAP not in mesh.api.names("configmaps")
    assert number > 2 or cut


@pytest.mark.parametrize("file", STORED, ids=lambda file: file.stem)
def test_a_state_of_each_earlier_release_is_kept(mesh, file):
    text = file.read_text().strip()
    begun = Run(rollout(SHORT)).start().state  # of its group, the versions are those of the state
    assert begun.rollout.spec.services == State.from_json(text).rollout.spec.services
    mesh.api.put(config_map(text, base=document(group())))
    (one,) = taken(mesh)
    assert one.wrong == ""
    kept = json.loads(mesh.object()["status"]["state"])
    assert {**json.loads(text), "spec_generation": 1} == {name: kept[name] for name in kept if name != "done"}


def test_one_that_cannot_be_read_is_told_and_the_others_are_taken_over(mesh, before):
    mesh.api.put(config_map("{", "broken"))
    broken, good = taken(mesh)
    assert "cannot be read" in broken.wrong
    assert good.wrong == ""
    assert "graylane-rollout.broken" in mesh.api.names("configmaps")


def test_one_of_that_name_that_was_begun_later_is_left_alone(mesh, before):
    mesh.commit(rollout(SHORT))
    mesh.run(until=lambda state: state.stage is Stage.APPROVAL)
    later = {"generation": 7, "begun": before.begun + timedelta(seconds=1)}
    mesh.object()["status"]["state"] = mesh.state().model_copy(update=later).to_json()
    taken(mesh)
    assert mesh.state().generation == 7
    assert CONFIG_MAP not in mesh.api.names("configmaps")


def test_while_an_earlier_release_drives_them_nothing_is_taken_over(mesh, before):
    other = lease.Holder("eva@laptop/1/1/x", "another machine")
    with (
        lock.Lock(mesh.client.session(), "demo", "rollouts.runner", me=other),
        pytest.raises(ClusterError, match="eva@laptop"),
    ):
        taken(mesh)
    assert mesh.object() is None
