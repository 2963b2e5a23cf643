"""A change is prepared before the lock and in it: what others did in between counts, what they did not is kept."""

import sys
from dataclasses import replace

import pytest
from rollout_world import GROUP, group
from runner_world import NOWHERE, cluster, mesh, rendered

from meshconfig.cluster.change import Choices, Wanted, Watcher, carry_out

__all__ = ["cluster", "mesh"]

module = sys.modules["meshconfig.cluster.change.prepare"]
TURNED = group(GROUP.replace("cat: v1, mouse: v1", "cat: v2, mouse: v2"))


@pytest.fixture
def planned(monkeypatch):
    """The number of resources that each plan found in the cluster."""
    found, plan = [], module.steps_to

    def steps_to(tables, live, *more, **options):
        found.append(len(live))
        return plan(tables, live, *more, **options)

    monkeypatch.setattr(module, "steps_to", steps_to)
    return found


def in_the_lock(api, do):
    """Has somebody else do something at the moment when a change takes the lock."""
    open_ones = [do]

    def hook(method, path):
        if "/leases" in path and method != "GET" and open_ones:
            open_ones.pop()()

    api.before.append(hook)


def test_a_plan_is_made_once_where_nobody_changed_anything(mesh, planned):
    mesh.apply(TURNED)
    assert len(planned) == 1
    assert mesh.routes() == rendered(TURNED)


def test_what_somebody_deletes_before_the_lock_is_written_again(mesh, planned):
    there = len(mesh.routes())
    in_the_lock(mesh.api, lambda: mesh.api.objects.pop(("virtualservices", "demo", "dog-svc")))
    mesh.apply(TURNED)
    assert planned == [there, there - 1]
    assert mesh.routes() == rendered(TURNED)


def test_what_somebody_edits_before_the_lock_is_set_right(mesh, planned):
    def edit():
        one = mesh.api.get("virtualservices", "dog-svc")
        mesh.api.put({**one, "spec": {**one["spec"], "http": []}})

    in_the_lock(mesh.api, edit)
    mesh.apply(TURNED)
    assert len(planned) == 2
    assert mesh.routes() == rendered(TURNED)


def test_a_change_of_others_that_was_cut_off_before_the_lock_is_waited_for(mesh, planned):
    def revision(**data):
        one = mesh.api.get("configmaps", "graylane-pets-r1")
        mesh.api.put({**one, "data": {**one["data"], **data}})

    revision(ended="2026-01-01T00:00:00Z")
    in_the_lock(mesh.api, lambda: revision(outcome="failed"))
    mesh.apply(TURNED)
    assert len(planned) == 2


def test_what_is_wanted_is_asked_again_once_the_lock_is_held(mesh, planned):
    """Such as lanes that have become ready while somebody else held it."""
    wanted, locked = Wanted("pets", "demo", group(GROUP.replace("gray:", "blue:"))), []
    in_the_lock(mesh.api, lambda: locked.append(True))

    def renewed(one):
        assert locked
        return replace(one, spec=TURNED)

    done = carry_out(mesh.client, wanted, Choices(wait=0, drain=0, istiod=NOWHERE), Watcher(), renewed)
    assert len(planned) == 2
    assert mesh.routes() == rendered(done.prepared.wanted.spec) == rendered(TURNED)
