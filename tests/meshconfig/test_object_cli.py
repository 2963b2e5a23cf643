"""The commands that change a group which has a LaneGroup object: they write it, and follow what the controller does."""

import pytest
import yaml
from fake_api import RefusedError
from fake_controller import FINALIZER, carried_out, controller, owned, stalled
from rollout_world import GROUP
from runner_world import AT_ONCE, NOWHERE, cluster

from meshconfig.cli import following as shown
from meshconfig.cluster import conditions, custom, following

__all__ = ["cluster"]

PETS = ("pets", "-n", "demo")
TURNED = GROUP.replace("cat: v1, mouse: v1", "cat: v2, mouse: v2")
VERSION = "graylane.dev/v1"


def spec_of(text):
    return yaml.safe_load(text)["spec"]


@pytest.fixture
def api(cluster, monkeypatch):
    monkeypatch.setattr(following, "OBSERVED", 20.0)
    return cluster.api


@pytest.fixture
def put(api):
    """Puts an object of the group into the cluster, as somebody applied it; the controller has taken it."""

    def put(text=GROUP, **metadata):
        named = {"name": "pets", "namespace": "demo", "finalizers": [FINALIZER], **metadata}
        api.put({"apiVersion": VERSION, "kind": "LaneGroup", "metadata": named, "spec": spec_of(text)})

    return put


@pytest.fixture
def spec(tmp_path):
    def write(text=TURNED):
        file = tmp_path / "graylane.yaml"
        file.write_text(text)
        return file

    return write


def live(api):
    return api.get("lanegroups", "pets")


def writes(api):
    """What was written to anything but the status of objects, and the controller's own."""
    return [path for method, path in api.seen if method in ("PATCH", "PUT", "POST") and "/lanegroups/" not in path]


def test_apply_writes_the_object_and_shows_the_controllers_steps(run, cluster, put, spec):
    put()
    with controller(cluster.api, carried_out(["new subsets", "routes of cat"])):
        said = run("apply", "-f", spec())
    assert live(cluster.api)["spec"] == spec_of(TURNED)
    assert "step 1/2  new subsets (" in said
    assert "step 2/2  routes of cat (" in said
    assert "changed LaneGroup demo/pets\ngroup demo/pets: generation 2 is ready, revision 7, in " in said
    assert "at every proxy" in said
    assert cluster.routes() == {}
    assert writes(cluster.api) == []


def test_json_has_the_fields_that_an_apply_by_graylane_itself_has(run, cluster, put, spec):
    (itself,) = run("apply", "-f", spec(GROUP), *AT_ONCE, "--output", "json")
    put()
    with controller(cluster.api, carried_out(["routes"])):
        (found,) = run("apply", "-f", spec(), "--output", "json")
    assert found.keys() == itself.keys()
    assert (found["group"], found["revision"], found["generation"], found["dryRun"]) == ("pets", 7, 2, False)
    (changed,) = found["changed"]
    assert (changed["kind"], changed["name"], changed["change"]) == ("LaneGroup", "pets", "changed")
    assert {one["path"] for one in changed["fields"]} == {
        "spec.lanes.prod.versions.cat",
        "spec.lanes.prod.versions.mouse",
    }
    assert itself["generation"] is None


def test_an_object_that_no_api_server_stores_is_refused_before_it_is_sent(run, cluster, put, spec, monkeypatch):
    put()
    monkeypatch.setattr(custom, "LARGEST", 100)
    said = run("apply", "-f", spec(), code=1)
    assert "LaneGroup demo/pets is too large: it takes" in said
    assert "split the group into several groups" in said
    assert cluster.api.get("lanegroups", "pets")["metadata"]["generation"] == 1


def test_what_is_so_already_is_not_written(run, cluster, put, spec):
    put(TURNED)
    with controller(cluster.api, carried_out()):
        run("apply", "-f", spec())
        before = live(cluster.api)["metadata"]["resourceVersion"]
        assert "group demo/pets: no change; generation 1 is ready, revision 7" in run("apply", "-f", spec())
    assert live(cluster.api)["metadata"]["resourceVersion"] == before


def test_the_order_of_keys_and_what_the_api_server_fills_in_are_no_change(run, cluster, put, spec):
    put(TURNED)
    one = live(cluster.api)
    one["spec"] = {"drift": "correct", **dict(reversed(one["spec"].items()))}
    with controller(cluster.api, carried_out()):
        assert "no change" in run("apply", "-f", spec())


def test_without_an_object_the_command_does_the_work_itself_after_one_question(run, cluster, spec):
    said = run("apply", "-f", spec(), *AT_ONCE)
    assert "revision 1" in said
    asked = [path for _, path in cluster.api.seen if "lanegroups" in path or path == "/apis/graylane.dev/v1"]
    assert asked == ["/apis/graylane.dev/v1/namespaces/demo/lanegroups/pets"]
    assert cluster.routes()


def test_files_of_one_group_are_written_as_one_object(run, cluster, put, tmp_path):
    whole = yaml.safe_load(TURNED)
    services = whole["spec"].pop("services")
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(whole))
    (tmp_path / "b.yaml").write_text(yaml.safe_dump({**whole, "spec": {"services": services}}))
    put()
    with controller(cluster.api, carried_out()):
        run("apply", "-f", tmp_path / "a.yaml", "-f", tmp_path / "b.yaml")
    assert live(cluster.api)["spec"] == spec_of(TURNED)


def test_a_spec_without_a_namespace_is_the_object_of_default(run, cluster, put, spec):
    put(namespace="default")
    with controller(cluster.api, carried_out()):
        run("apply", "-f", spec(TURNED.replace(", namespace: demo", "")))
    assert cluster.api.get("lanegroups", "pets", "default")["spec"] == spec_of(TURNED)


def test_what_the_controller_cannot_do_is_the_commands_error(run, cluster, put, spec):
    put()
    with controller(cluster.api, stalled("cat-svc has no port 9001: correct spec.services.cat.port")):
        said = run("apply", "-f", spec(), code=1)
    assert said == "graylane: LaneGroup demo/pets: cat-svc has no port 9001: correct spec.services.cat.port\n"
    assert live(cluster.api)["spec"] == spec_of(TURNED)


def test_a_condition_about_an_earlier_generation_ends_nothing(run, cluster, put, spec):
    put()

    def work(one, seen):
        generation = seen["metadata"]["generation"]
        if generation == 2:
            one.watched()
            one.status(seen, conditions.stalled("Old", "the earlier spec"), generation=1)
            one.status(seen, conditions.ready("Old", "the earlier spec"), generation=1)
            one.status(seen, conditions.reconciling("Waiting", "for the group's lock"))
        one.status(seen, conditions.ready("Applied", "the new spec"))

    with controller(cluster.api, work):
        said = run("apply", "-f", spec())
    assert "the new spec" in said
    assert "for the group's lock" in said


def test_without_a_controller_the_object_stays_written_and_the_error_says_what_to_do(
    run, cluster, put, spec, monkeypatch
):
    put()
    monkeypatch.setattr(following, "OBSERVED", 0.1)
    said = run("apply", "-f", spec(), code=1)
    assert said.startswith("graylane: nobody has observed generation 2 of LaneGroup demo/pets within 0.1 s; it stays")
    assert "graylane controller -n demo" in said
    assert live(cluster.api)["spec"] == spec_of(TURNED)


def test_a_step_that_takes_too_long_is_named_with_what_it_waits_for(run, cluster, put, spec):
    put()

    def work(one, seen):
        change = {"steps": 3, "step": 2, "title": "routes of cat", "waitingFor": ["demo/cat-1"]}
        one.status(seen, conditions.reconciling("Applying", "…"), change=change)

    with controller(cluster.api, work):
        said = run("apply", "-f", spec(), "--timeout", "0.3", code=1)
    assert "no progress within 0.3 s: step 2 of 3 (routes of cat), waiting for demo/cat-1" in said
    assert "graylane status pets -n demo --watch" in said


def test_a_newer_spec_of_somebody_else_is_reported_and_followed(run, cluster, put, spec):
    put()

    def work(one, seen):
        if seen["metadata"]["generation"] == 2:
            metadata = {**seen["metadata"], "managedFields": owned("kubectl-edit")}
            one.api.put({**seen, "metadata": metadata, "spec": spec_of(GROUP)})
        elif seen["metadata"]["generation"] == 3:
            one.status(seen, conditions.ready("Applied", "the third"))

    with controller(cluster.api, work):
        said = run("apply", "-f", spec())
    assert "LaneGroup demo/pets was changed by kubectl-edit: its generation 3 is followed now" in said
    assert "generation 3 is ready" in said


def test_ctrl_c_ends_the_following_alone(run, cluster, put, spec, monkeypatch):
    put()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(shown.FollowPrinter, "seen", interrupted)
    with controller(cluster.api, carried_out(["routes"])):
        said = run("apply", "-f", spec(), code=130)
    assert said == "the controller goes on; to follow it: graylane status pets -n demo --watch\n"
    assert live(cluster.api)["spec"] == spec_of(TURNED)


def test_an_object_that_is_deleted_meanwhile_is_an_error(run, cluster, put, spec):
    put()

    def work(one, seen):
        if seen["metadata"]["generation"] == 2:
            one.api.answer("DELETE", "/apis/graylane.dev/v1/namespaces/demo/lanegroups/pets", None)

    with controller(cluster.api, work):
        assert "LaneGroup demo/pets is being deleted by somebody else" in run("apply", "-f", spec(), code=1)
    assert "nothing was written: LaneGroup demo/pets is being deleted" in run("apply", "-f", spec(), code=1)


@pytest.mark.parametrize(("manager", "tool"), [("kustomize-controller", "Flux"), ("argocd-controller", "Argo CD")])
def test_what_git_owns_is_to_be_committed(run, cluster, put, spec, manager, tool):
    put(managedFields=owned(manager))
    cluster.api.seen.clear()
    said = run("apply", "-f", spec(), code=1)
    assert f"LaneGroup demo/pets is in Git ({manager}, {tool}): commit the change there instead" in said
    assert "\nit would change spec.lanes.prod.versions.cat, spec.lanes.prod.versions.mouse\n" in said
    assert f"graylane apply -f FILE --adopt writes it all the same, until {tool} takes it back" in said
    assert [method for method, _ in cluster.api.seen] == ["GET"]
    with controller(cluster.api, carried_out()):
        assert f"{tool} takes it back" in run("apply", "-f", spec(), "--adopt")
    assert any("force=true" in path for method, path in cluster.api.seen if method == "PATCH")
    assert live(cluster.api)["spec"] == spec_of(TURNED)


def test_what_git_says_already_is_followed_without_a_write(run, cluster, put, spec):
    put(TURNED, managedFields=owned("kustomize-controller"))
    with controller(cluster.api, carried_out()):
        assert "no change" in run("apply", "-f", spec())


def test_fields_of_another_person_are_taken_over_on_demand(run, cluster, put, spec):
    put(managedFields=owned("kubectl-edit", operation="Update"))

    def refuse(method, path):
        if method == "PATCH" and "force=true" not in path and "/status" not in path:
            causes = [(".spec.lanes.prod", 'conflict with "kubectl-edit" using graylane.dev/v1')]
            raise RefusedError(409, "Conflict", "Apply failed with 1 conflict", causes)

    cluster.api.before.append(refuse)
    said = run("apply", "-f", spec(), code=1)
    assert (
        "fields of LaneGroup demo/pets belong to others; graylane apply -f FILE --adopt takes the fields over" in said
    )
    assert ".spec.lanes.prod belongs to kubectl-edit since 2026-01-01T00:00:00Z" in said
    assert "Git" not in said
    with controller(cluster.api, carried_out()):
        run("apply", "-f", spec(), "--adopt")


@pytest.mark.parametrize("option", ["--drain=7", "--wait=0", f"--istiod={NOWHERE}", "--fast", "--break-lock"])
def test_options_that_are_the_controllers_are_refused(run, cluster, put, spec, option):
    put()
    said = run("apply", "-f", spec(), option, code=2)
    assert said.startswith(f"{option.partition('=')[0]}: has no effect: the controller carries out")
    assert live(cluster.api)["spec"] == spec_of(GROUP)


def test_a_dry_run_shows_object_and_plan_and_writes_nothing(run, cluster, put, spec):
    put()
    before = dict(cluster.api.objects)
    said = run("apply", "-f", spec(), "--dry-run")
    assert "changed LaneGroup demo/pets" in said
    assert "created VirtualService demo/cat-svc" in said
    assert "\ngroup demo/pets: dry run, nothing was written\n" in said
    assert cluster.api.objects == before
    asked = [path for method, path in cluster.api.seen if method == "PATCH"]
    assert asked
    assert all("dryRun=All" in path for path in asked)
    (found,) = run("apply", "-f", spec(), "--dry-run", "--output", "json")
    assert found["dryRun"]
    assert {one["kind"] for one in found["changed"]} > {"LaneGroup", "VirtualService"}


def test_a_dry_run_needs_no_right_on_istios_kinds(run, cluster, put, spec):
    put()

    def refuse(method, path):
        if "networking.istio.io/v1/namespaces" in path or "configmaps" in path:
            raise RefusedError(403, "Forbidden", "eva may not list virtualservices")

    cluster.api.before.append(refuse)
    said = run("apply", "-f", spec(), "--dry-run")
    assert "the plan is not shown: eva may not list virtualservices" in said
    assert "changed LaneGroup demo/pets" in said


def test_an_account_from_before_the_kind_needs_no_right_on_it(run, cluster, spec, monkeypatch):
    def refuse(method, path):
        if "/lanegroups/" in path:
            raise RefusedError(403, "Forbidden", "eva may not get lanegroups")

    cluster.api.before.append(refuse)
    monkeypatch.setattr(custom, "is_served", lambda client, kind: False)
    assert "revision 1" in run("apply", "-f", spec(), *AT_ONCE)
    monkeypatch.setattr(custom, "is_served", lambda client, kind: True)
    said = run("apply", "-f", spec(), *AT_ONCE, code=1)
    assert "LaneGroup demo/pets cannot be read" in said
    assert "grant get on lanegroups.graylane.dev: docs/rbac.md" in said


def test_an_object_that_may_not_be_followed_says_so(run, cluster, put, spec):
    put()

    def refuse(method, path):
        if method == "GET" and "fieldSelector" in path:
            raise RefusedError(403, "Forbidden", "eva may not list lanegroups")

    cluster.api.before.append(refuse)
    said = run("apply", "-f", spec(), code=1)
    assert "is written, but may not be followed: eva may not list lanegroups" in said


def test_delete_waits_until_the_controller_lets_the_object_go(run, cluster, put, spec):
    put()
    with controller(cluster.api, carried_out(["entries", "routes"])):
        said = run("delete", "-f", spec())
    assert live(cluster.api) is None
    assert "step 1/2  entries (" in said
    assert "step 2/2  routes (" in said
    assert "deleted LaneGroup demo/pets\ngroup demo/pets: deleted in " in said
    assert writes(cluster.api) == []


def test_an_object_that_has_stalled_is_deleted_like_any(run, cluster, put, spec):
    put()

    def work(one, seen):
        if seen["metadata"].get("deletionTimestamp"):
            one.watched()
            one.let_go(seen)
        else:
            one.status(seen, conditions.stalled("NoPort", "cat-svc has no port"))

    with controller(cluster.api, work):
        run("apply", "-f", spec(GROUP), code=1)
        cluster.api.seen.clear()
        assert "group demo/pets: deleted" in run("delete", "-f", spec())


def test_delete_without_a_controller_leaves_the_object_to_it(run, cluster, put, spec, monkeypatch):
    put()
    monkeypatch.setattr(following, "OBSERVED", 0.1)
    said = run("delete", "-f", spec(), code=1)
    assert "it waits for its routes to be taken away" in said
    assert live(cluster.api)["metadata"]["deletionTimestamp"]


def test_an_object_that_no_controller_has_taken_is_deleted_with_its_routes_by_the_command(run, cluster, put, spec):
    run("apply", "-f", spec(), *AT_ONCE)
    put(TURNED, finalizers=[])
    said = run("delete", "-f", spec(), *AT_ONCE)
    assert live(cluster.api) is None
    assert cluster.routes() == {}
    assert "deleted VirtualService demo/cat-svc" in said


def test_what_is_in_git_is_deleted_there(run, cluster, put, spec):
    put(managedFields=owned("argocd-controller"))
    assert "remove it there" in run("delete", "-f", spec(), code=1)
    assert live(cluster.api)


@pytest.fixture
def two_revisions(run, put, spec):
    run("apply", "-f", spec(GROUP), *AT_ONCE)
    run("apply", "-f", spec(TURNED), *AT_ONCE)


def test_rollback_writes_the_spec_of_the_revision_into_the_object(run, cluster, put, two_revisions):
    put(TURNED)
    with controller(cluster.api, carried_out()):
        said = run("rollback", *PETS, "--to", "1")
    assert "generation 2 is ready" in said
    assert live(cluster.api)["spec"] == spec_of(GROUP)


def test_rollback_of_what_is_in_git_says_what_to_commit(run, cluster, put, two_revisions):
    put(TURNED, managedFields=owned("kustomize-controller"))
    said = run("rollback", *PETS, code=1)
    assert "commit the change there instead" in said
    assert "graylane history pets -n demo --show 1" in said
    assert live(cluster.api)["spec"] == spec_of(TURNED)


def test_rollback_to_a_deletion_is_the_deletion_of_the_object(run, cluster, put, spec, two_revisions):
    run("delete", "-f", spec(), *AT_ONCE)
    put(TURNED)
    said = run("rollback", *PETS, "--to", "3", code=1)
    assert "kubectl delete lanegroups.graylane.dev pets -n demo" in said


def test_an_edit_with_apply_writes_object_and_file(run, cluster, put, spec):
    file = spec(GROUP)
    put()
    with controller(cluster.api, carried_out()):
        said = run("version", "weights", "cat", "v1=80", "v2=20", "-f", file, "--apply")
    assert "generation 2 is ready" in said
    written = yaml.safe_load(file.read_text())["spec"]
    assert written["services"]["cat"]["weights"] == {"v1": 80, "v2": 20}
    assert live(cluster.api)["spec"] == written


def test_an_edit_of_what_is_in_git_writes_no_file(run, cluster, put, spec):
    file = spec(GROUP)
    put(managedFields=owned("kustomize-controller"))
    said = run("lane", "remove", "gray", "-f", file, "--apply", code=1)
    assert "commit the change there instead" in said
    assert file.read_text() == GROUP


def test_an_edit_that_stalls_has_written_its_files(run, cluster, put, spec):
    file = spec(GROUP)
    put()
    with controller(cluster.api, stalled("no Pods of cat v2")):
        said = run("lane", "remove", "gray", "-f", file, "--apply", code=1)
    assert "no Pods of cat v2" in said
    assert "the files are written" in said
    assert "gray" not in yaml.safe_load(file.read_text())["spec"]["lanes"]


@pytest.mark.parametrize("command", ["plan", "diff"])
def test_a_plan_says_which_generation_of_the_object_is_live(graylane, cluster, put, spec, command):
    put(GROUP)
    said = "the files differ from LaneGroup demo/pets, of which generation 1 is wanted, and 0 was observed last\n"
    assert said in graylane(command, "-f", spec(TURNED))[2]
    live(cluster.api)["status"] = {"observedGeneration": 1}
    said = "the files differ from LaneGroup demo/pets, of which generation 1 is live\n"
    assert said in graylane(command, "-f", spec(TURNED))[2]
    assert "LaneGroup" not in graylane(command, "-f", spec(GROUP))[2]
