"""A Rollout as an object that people and Git apply, change and delete: what its status and the mesh become."""

import pytest
from fake_api import deployment
from rollout_world import GROUP, group, rollout
from runner_world import cluster, mesh, rendered, until

from meshconfig.rollout import steps
from meshconfig.rollout.events import Abort, Approve
from meshconfig.rollout.state import Phase, Stage

__all__ = ["cluster", "mesh"]

pytestmark = pytest.mark.slow

SHORT = [{"weight": 10}, {"pause": {}}, {"weight": 100}]
FINALIZER = "graylane.dev/rollout"
WITH_V2 = GROUP.replace("cat: v1, mouse: v1", "cat: v2, mouse: v2")


def at_approval(state):
    return state.stage is Stage.APPROVAL


def finalizers(mesh, name="cat-v2"):
    return mesh.object(name)["metadata"].get("finalizers", [])


def delete(mesh, plural="rollouts", name="cat-v2"):
    kind = {"rollouts": "Rollout", "lanegroups": "LaneGroup"}[plural]
    mesh.client.request("DELETE", f"/apis/graylane.dev/v1/namespaces/demo/{kind.lower()}s/{name}")


def warnings(mesh):
    found = [one for (plural, _, _), one in mesh.api.objects.items() if plural == "events"]
    return [one["message"] for one in found if one["involvedObject"]["kind"] == "Rollout" and one["type"] == "Warning"]


class TestApplied:
    """`kubectl apply -f cat-v2.yaml` starts a rollout, as `graylane rollout start` does."""

    def test_it_begins_and_its_log_has_the_field_manager(self, mesh):
        mesh.commit(rollout(SHORT))
        managed = [{"manager": "kustomize-controller", "fieldsV1": {"f:spec": {}}, "time": "2026-01-01T00:00:00Z"}]
        mesh.object()["metadata"]["managedFields"] = managed
        state = mesh.run(until=at_approval)
        assert (state.applied, state.log[0].who, str(state.log[0].action)) == (10, "kustomize-controller", "start")
        assert finalizers(mesh) == [FINALIZER]
        status = mesh.object()["status"]
        shown = {name: status[name] for name in ("group", "phase", "step", "steps", "weight", "observedGeneration")}
        assert shown == {
            "group": "pets", "phase": "Paused", "step": 1, "steps": 3, "weight": 10, "observedGeneration": 1,
        }  # fmt: skip
        assert mesh.condition() == ("Reconciling", "Paused", "awaiting approval")

    def test_a_spec_that_the_schema_cannot_refuse_is_said_with_its_field_and_touches_nothing(self, mesh):
        mesh.commit(rollout(SHORT))
        mesh.object()["spec"]["steps"] = [{"weight": 90}]
        before = mesh.routes()
        mesh.worker().run()
        said = "spec.steps: the last weight has to be 100"
        assert mesh.condition() == ("Stalled", "InvalidSpec", f"{said}; nothing was changed")
        assert warnings(mesh) == [f"rollout cat-v2: {said}"]
        assert (mesh.routes(), finalizers(mesh)) == (before, [])
        mesh.worker().run()
        assert len(warnings(mesh)) == 1

    def test_a_spec_that_was_mended_begins(self, mesh):
        mesh.commit(rollout(SHORT))
        mesh.object()["spec"]["steps"] = [{"weight": 90}]
        with mesh.driven():
            until(lambda: "status" in mesh.object())
            mesh.commit(rollout(SHORT))
            until(lambda: mesh.object()["status"].get("phase") == "Paused")

    def test_without_a_group_it_waits_and_says_so_and_begins_once_there_is_one(self, cluster):
        cluster.commit(rollout(SHORT))
        with cluster.driven():
            until(lambda: cluster.condition()[0] == "Stalled")
            kind, reason, said = cluster.condition()
            assert (kind, reason) == ("Stalled", "NoGroup")
            assert "group demo/pets is not in the cluster" in said
            cluster.git()
            until(lambda: cluster.state().stage is Stage.APPROVAL)
        assert cluster.state().lanegroup

    def test_a_group_of_which_git_brings_the_new_version_a_moment_later_is_waited_for(self, mesh):
        older = GROUP.replace(", v2: {labels: {v: v2}}", "").replace("    gray: {versions: {cat: v2, mouse: v2}}\n", "")
        mesh.git(older)
        mesh.commit(rollout(SHORT))
        with mesh.driven():
            until(lambda: mesh.condition()[1] == "DoesNotFit")
            assert "spec.services.cat.to: there is no version of cat v2" in mesh.condition()[2]
            mesh.git()
            until(lambda: mesh.state().stage is Stage.APPROVAL)

    def test_a_group_that_its_controller_has_not_applied_yet_is_waited_for(self, mesh):
        mesh.git(applied=False)
        mesh.commit(rollout(SHORT))
        assert mesh.run(until=lambda state: state.obstacle).stage is Stage.PENDING
        kind, reason, said = mesh.condition()
        assert (kind, reason) == ("Reconciling", "Waiting")
        assert "LaneGroup demo/pets is not applied" in said


class TestChangedSpec:
    def test_of_an_active_one_goes_on_with_the_former_spec(self, mesh):
        mesh.commit(rollout(SHORT, keepOld=None))
        mesh.run(until=at_approval)
        mesh.commit(rollout([{"weight": 50}, {"weight": 100}], keepOld=None))
        mesh.run(until=lambda state: state.obstacle)
        kind, reason, said = mesh.condition()
        assert (kind, reason) == ("Stalled", "SpecChanged")
        assert said.startswith("the spec was changed while it is active, so it goes on with the one that it began with")
        assert mesh.object()["status"]["observedGeneration"] == 2
        mesh.commit(rollout(SHORT, keepOld=None))
        mesh.run(until=lambda state: not state.obstacle)
        assert mesh.condition() == ("Reconciling", "Paused", "awaiting approval")
        mesh.say(Approve("bob"))
        assert mesh.run().phase is Phase.SUCCEEDED
        assert mesh.state().generation == 1

    def test_of_an_ended_one_starts_it_anew(self, mesh):
        mesh.commit(rollout(SHORT))
        mesh.run(until=at_approval)
        mesh.say(Abort("bob", "too fast"))
        assert mesh.run().phase is Phase.ABORTED
        kind, reason, said = mesh.condition()
        assert (kind, reason) == ("Stalled", "Aborted")
        assert "change its spec to start it again" in said
        mesh.commit(rollout([{"weight": 5}, {"pause": {}}, {"weight": 100}]))
        with mesh.driven():
            until(lambda: mesh.state().stage is Stage.APPROVAL)
        assert (mesh.state().generation, mesh.state().applied) == (2, 5)

    def test_what_is_the_same_in_other_words_starts_nothing(self, mesh):
        mesh.commit(rollout(SHORT, keepOld=None))
        mesh.run(until=at_approval)
        mesh.say(Abort("bob"))
        mesh.run()
        mesh.commit(rollout(SHORT, keepOld=None))
        mesh.object()["spec"]["onFail"] = "rollback"  # as the API server fills it in
        mesh.object()["metadata"]["generation"] += 1
        mesh.worker().run()
        assert mesh.state().phase is Phase.ABORTED

    def test_before_it_has_begun_is_the_one_that_begins(self, mesh):
        mesh.git(applied=False)
        mesh.commit(rollout(SHORT))
        mesh.run(until=lambda state: state.obstacle)
        mesh.commit(rollout([{"weight": 5}, {"pause": {}}, {"weight": 100}]))
        mesh.git()
        with mesh.driven():
            until(lambda: mesh.state().stage is Stage.APPROVAL)
        assert mesh.state().applied == 5


class TestDeleted:
    def test_an_active_one_goes_back_first(self, mesh):
        before, pods = mesh.routes(), mesh.replicas()
        mesh.commit(rollout(SHORT))
        mesh.run(until=at_approval)
        assert mesh.routes() != before
        delete(mesh)
        assert mesh.object()["metadata"]["deletionTimestamp"]
        mesh.worker().run()
        assert mesh.object() is None
        assert (mesh.routes(), mesh.replicas()) == (before, pods)

    def test_an_ended_one_goes_at_once(self, mesh):
        mesh.commit(rollout([{"weight": 100}], keepOld=None))
        assert mesh.run().phase is Phase.SUCCEEDED
        assert finalizers(mesh) == []
        delete(mesh)
        assert mesh.object() is None

    def test_one_that_waits_goes_and_nothing_is_changed(self, mesh):
        mesh.git(applied=False)
        mesh.commit(rollout(SHORT))
        mesh.run(until=lambda state: state.obstacle)
        delete(mesh)
        mesh.worker().run()
        assert mesh.object() is None

    def test_with_its_group_it_does_not_hang(self, mesh):
        mesh.git()
        mesh.commit(rollout(SHORT))
        mesh.run(until=at_approval)
        mesh.api.get("deployments", "cat-v1")["status"]["readyReplicas"] = 0  # no Pods to wait for will come
        delete(mesh)
        delete(mesh, "lanegroups", "pets")
        mesh.worker().run()
        assert mesh.object() is None

    def test_with_its_namespace_it_does_not_hang(self, mesh, monkeypatch):
        mesh.commit(rollout(SHORT))
        mesh.run(until=at_approval)
        delete(mesh)
        ending = {"metadata": {"name": "demo", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
        asked = type(mesh.client).get
        monkeypatch.setattr(
            type(mesh.client),
            "get",
            lambda self, where, *more: ending if where.endswith("/namespaces/demo") else asked(self, where, *more),
        )
        mesh.worker().run()
        assert mesh.object() is None

    def test_one_that_nobody_can_read_is_not_held_back(self, mesh):
        mesh.commit(rollout(SHORT))
        mesh.run(until=at_approval)
        mesh.object()["status"]["state"] = "{"
        delete(mesh)
        with mesh.driven():
            until(lambda: mesh.object() is None)


class TestBesideGit:
    @pytest.fixture
    def paused(self, mesh):
        """A rollout at 10 % over the LaneGroup object."""
        mesh.git()
        mesh.commit(rollout(SHORT, keepOld=None))
        mesh.run(until=at_approval)
        return mesh

    def test_what_git_changes_elsewhere_is_laid_under_it(self, paused):
        text = GROUP.replace("[cat.example.com]", "[cat.example.com, dog.example.com]")
        paused.git(text)
        assert paused.routes() == rendered(steps.at_weight(group(text), rollout(SHORT), 10))
        paused.say(Approve("bob"))
        assert paused.run().phase is Phase.SUCCEEDED
        assert paused.routes() == rendered(steps.taken_over(group(text), rollout(SHORT)))

    def test_what_contradicts_it_stalls_it_and_an_abort_leads_to_what_git_says(self, paused):
        before = paused.routes()
        text = GROUP.replace("cat: v1, mouse: v1", "mouse: v1").replace(
            "calls: [mouse], versions", "calls: [mouse], weights: {v1: 1, v2: 1}, versions"
        )
        paused.git(text)
        paused.say(Approve("bob"))
        paused.run()
        kind, reason, said = paused.condition()
        assert (kind, reason) == ("Stalled", "ContradictedByGit")
        assert "spec.services.cat.weights" in said
        assert "graylane rollout abort cat-v2 -n demo" in said
        assert [one for one in warnings(paused) if "contradicts" in one]
        assert paused.routes() == before
        paused.say(Abort("bob"))
        assert paused.run().phase is Phase.ABORTED
        assert paused.routes() == rendered(group(text))

    def test_once_git_takes_the_contradiction_back_it_goes_on(self, paused):
        paused.git(GROUP.replace("cat: v1, mouse: v1", "cat: v1, mouse: v2"))
        paused.run()
        assert paused.condition()[1] == "ContradictedByGit"
        paused.git()
        paused.say(Approve("bob"))
        assert paused.run().phase is Phase.SUCCEEDED

    def test_a_success_lies_over_git_until_git_names_the_new_version(self, paused):
        paused.say(Approve("bob"))
        assert paused.run().phase is Phase.SUCCEEDED
        after = paused.routes()
        kind, _, said = paused.condition()
        assert kind == "Ready"
        assert said.endswith("commit to it: spec.lanes.prod.versions.cat: v2, spec.lanes.prod.versions.mouse: v2")
        paused.git()
        assert paused.routes() == after
        with paused.driven() as changed:
            paused.git(WITH_V2)
            until(lambda: paused.state().done)
            until(lambda: "done with" in paused.condition()[2])
            assert ("demo", "pets") in changed
        assert paused.routes() == after
        paused.git()  # back to the old version, as a commit of its own
        assert paused.routes() == rendered(group())

    def test_deleted_after_its_success_it_leads_back_to_what_git_says(self, paused):
        paused.say(Approve("bob"))
        paused.run()
        with paused.driven() as changed:
            until(lambda: changed)
            changed.clear()
            delete(paused)
            until(lambda: ("demo", "pets") in changed)
        paused.git()
        assert paused.routes() == rendered(group())

    def test_the_next_rollout_begins_from_what_the_last_one_has_made(self, paused):
        three = GROUP.replace("v2: {labels: {v: v2}}", "v2: {labels: {v: v2}}, v3: {labels: {v: v3}}")
        for name in ("cat-v3", "mouse-v3"):
            paused.api.put(deployment(name, {"v": "v3"}, 1))
        paused.say(Approve("bob"))
        paused.run()
        paused.git(three)
        plan = rollout(SHORT, keepOld=None, services={name: {"from": "v2", "to": "v3"} for name in ("cat", "mouse")})
        paused.commit(plan, "cat-v3")
        state = paused.run("cat-v3", until=at_approval)
        assert (state.phase, state.applied) == (Phase.PAUSED, 10)

    def test_a_group_that_is_deleted_stalls_an_active_one(self, paused):
        del paused.api.objects["lanegroups", "demo", "pets"]
        before = paused.routes()
        paused.say(Approve("bob"))
        paused.run()
        assert paused.condition()[:2] == ("Stalled", "NoGroup")
        assert paused.routes() == before
