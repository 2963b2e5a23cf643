"""A change is prepared before the lock and in it: what others did in between counts, what they did not is kept."""

import sys

import pytest
from rollout_world import GROUP, group
from runner_world import cluster, mesh, rendered

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
