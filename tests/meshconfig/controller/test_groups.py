"""What a person sees who applies, edits and deletes LaneGroup objects while a controller works."""

import json
import threading

import pytest
import yaml
from controller_world import changed, document, edited, world

from meshconfig.cluster import lanegroups
from meshconfig.cluster.lock import LockLost
from meshconfig.controller import controller, reconcile
from meshconfig.errors import ClusterError, Unreachable
from meshconfig.groups import groups
from meshconfig.load import parse

__all__ = ["world"]


def without_gray(spec):
    del spec["lanes"]["gray"]


def test_what_is_applied_becomes_true_and_its_status_says_so(world):
    with world.controller():
        world.apply(document())
        world.until_ready()
        world.until(lambda: 'graylane_group_ready{name="pets",namespace="demo"} 1.0' in world.page())
    assert "graylane_group_ready{" not in world.page(), "who does not lead shows no group"
    assert "virtualservices/cat-svc" in world.routes()
    assert any("gray" in name for name in world.lane_routes())
    status = world.object()["status"]
    assert (status["revision"], status["lanes"]) == (1, ["prod", "gray"])
    assert "change" not in status
    assert set(world.conditions()) == {"Ready"}
    assert world.object()["metadata"]["finalizers"] == ["graylane.dev/routes"]
    assert world.events("Applied")[0].startswith("revision 1 in ")


@pytest.mark.slow
def test_a_restart_writes_nothing_that_is_so_already(world):
    with world.controller():
        world.apply(document())
        world.until_ready()
        world.until(lambda: _quiet(world.api, 1.0), "quiet")
    version = world.api.version
    with world.controller():
        world.until(lambda: "graylane_group_ready" in world.page() and "1.0" in world.page())
        world.until(lambda: _quiet(world.api, 1.0), "quiet")
        written = [url for method, url in world.api.seen if method in ("PATCH", "POST") and "/leases" not in url]
    events = [one for one in world.api.events if one[0] > version and one[2][0] not in ("leases",)]
    assert events == [], written


def test_what_changed_while_no_controller_ran_is_made_up_for(world):
    with world.controller():
        world.apply(document())
        world.until_ready()
    world.apply(changed(document(), without_gray))
    with world.controller():
        world.until_ready()
    assert not any("gray" in name for name in world.lane_routes())
    assert world.object()["status"]["revision"] == 2


@pytest.mark.slow
def test_an_idle_group_is_asked_for_nothing(world):
    with world.controller():
        world.apply(document())
        world.until_ready()
        world.until(lambda: _quiet(world.api, 1.5), "quiet")


def _quiet(api, seconds):
    """Whether nothing but Leases was asked for in a while; the look after the controller's own writes is over then."""
    api.lock.release()  # `until` holds it
    try:
        before = len(api.seen)
        threading.Event().wait(seconds)
        after = [one for one in api.seen[before:] if "/leases/" not in one[1]]
    finally:
        api.lock.acquire()
    return not after


def test_an_invalid_spec_is_told_with_field_and_fix_and_the_mesh_stays(world):
    with world.controller():
        world.apply(document())
        world.until_ready()
        routes = world.lane_routes()
        world.apply(changed(document(), lambda spec: spec["lanes"]["gray"]["versions"].update(cat="v9")))
        world.until(lambda: "Stalled" in world.conditions())
        stalled = world.conditions()["Stalled"]
        assert stalled["reason"] == "InvalidSpec"
        assert "spec.lanes.gray.versions.cat" in stalled["message"]
        assert world.conditions()["Ready"]["status"] == "False"
        assert world.lane_routes() == routes
        world.until(lambda: 'graylane_group_stalled{name="pets",namespace="demo"} 1.0' in world.page())
        world.until(lambda: world.events("InvalidSpec"))
        world.apply(document())
        world.until_ready()
    assert set(world.conditions()) == {"Ready"}


def test_what_somebody_changes_by_hand_goes_back_and_the_event_names_who(world):
    with world.controller():
        world.apply(document())
        world.until_ready()
        before = world.api.get("virtualservices", "cat-svc")["spec"]
        world.api.put(edited(world.api.get("virtualservices", "cat-svc"), "http"))
        world.until(lambda: world.api.get("virtualservices", "cat-svc")["spec"] == before)
        world.until(lambda: world.events("Drift"))
    assert "VirtualService demo/cat-svc was changed by kubectl-edit" in world.events("Drift")[0]
    assert 'graylane_group_drift_total{name="pets",namespace="demo"} 1.0' in world.page()


def test_what_somebody_deletes_comes_back(world):
    with world.controller():
        world.apply(document())
        world.until_ready()
        world.api.answer("DELETE", "/apis/networking.istio.io/v1/namespaces/demo/virtualservices/mouse-svc", None)
        world.until(lambda: world.api.get("virtualservices", "mouse-svc"))
        world.until(lambda: world.events("Drift"))
    assert "VirtualService demo/mouse-svc was deleted" in world.events("Drift")[0]


def test_drift_that_is_to_be_reported_is_reported_and_left(world):
    with world.controller():
        world.apply(changed(document(), lambda spec: spec.update(drift="report")))
        world.until_ready()
        by_hand = edited(world.api.get("virtualservices", "cat-svc"), "http")
        world.api.put(by_hand)
        world.until(lambda: "Drifted" in world.conditions())
        assert "kubectl-edit" in world.conditions()["Drifted"]["message"]
        assert world.conditions()["Ready"]["status"] == "True"
    assert world.api.get("virtualservices", "cat-svc")["spec"] == by_hand["spec"]


def test_a_deletion_takes_the_routes_before_the_object_goes(world):
    order = []
    world.api.before.append(lambda method, url: order.append((method, url)))
    with world.controller():
        world.apply(document())
        world.until_ready()
        order.clear()
        world.delete()
        world.until(lambda: not world.object())
    assert world.routes() == set()
    places = [url for method, url in order if method == "DELETE" and "networking" in url]
    kinds = [url.split("/")[-2] for url in places]
    assert kinds.index("destinationrules") > kinds.index("virtualservices")
    writes = [url for method, url in order if method in ("DELETE", "PATCH")]
    assert "/lanegroups/pets?" in writes[-1], "the finalizer goes last"
    assert "graylane_group_ready{" not in world.page()


def test_a_group_that_never_became_true_can_be_deleted(world):
    broken = changed(document(), lambda spec: spec["lanes"]["gray"]["versions"].update(cat="v9"))
    with world.controller():
        world.apply(broken)
        world.until(lambda: "Stalled" in world.conditions())
        world.delete()
        world.until(lambda: not world.object())


def test_a_namespace_that_ends_is_not_held_up(world):
    with world.controller():
        world.apply(document())
        world.until_ready()
        world.api.ending.add("demo")
        world.delete()
        world.until(lambda: not world.object())


@pytest.mark.slow
def test_a_namespace_that_ends_with_the_lease_of_the_controller_is_not_held_up(world):
    with world.controller():
        world.apply(document())
        world.until_ready()
    world.api.ending.add("demo")
    for name in world.api.names("leases"):
        world.api.answer("DELETE", f"/apis/coordination.k8s.io/v1/namespaces/demo/leases/{name}", None)
    world.delete()
    assert world.object(), "its finalizer holds it"
    with world.controller():  # it cannot lead
        world.until(lambda: not world.object())


def test_the_newest_of_several_specs_wins_and_no_stale_one_is_carried_out_first(world, monkeypatch):
    gate = _gate_of_the_first_step(monkeypatch)
    with world.controller():
        world.apply(document())
        gate.reached.wait(20)
        for share in (10, 20, 30, 40, 50):
            world.apply(changed(document(), lambda spec, share=share: spec["entries"][0].update(_split(share))))
        world.until(lambda: True)
        gate.open.set()
        world.until_ready()
    revisions = sorted(name for name in world.api.names("configmaps") if name.startswith("graylane-pets-r"))
    assert len(revisions) == 2, "the one that was left, and the newest"
    assert "weight: 50" in _text(world.api.get("virtualservices", "cat-example-com"))


def _gate_of_the_first_step(monkeypatch):
    class Gate:
        reached, open = threading.Event(), threading.Event()

    step = reconcile._Change._step

    def gated(self, number, one):
        if not Gate.open.is_set():
            Gate.reached.set()
            Gate.open.wait(20)
        step(self, number, one)

    monkeypatch.setattr(reconcile._Change, "_step", gated)
    return Gate


def _split(share):
    return {"split": {"gray": share, "prod": 100 - share}}


def _text(one):
    return yaml.safe_dump(one["spec"])


def test_a_refused_change_is_tried_again_until_a_person_is_needed(world, monkeypatch):
    monkeypatch.setattr(reconcile, "AGAIN", (0.05, 0.1))
    foreign = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "cat-svc", "namespace": "demo"},
        "spec": {"hosts": ["cat-svc"], "http": []},
    }
    world.api.put(foreign)
    with world.controller():
        world.apply(document())
        world.until(lambda: "Stalled" in world.conditions())
        assert world.conditions()["Stalled"]["reason"] == "NotOurs"
        assert "--adopt takes it over" in world.conditions()["Stalled"]["message"]
        assert world.routes() == {"virtualservices/cat-svc"}
        world.api.answer("DELETE", "/apis/networking.istio.io/v1/namespaces/demo/virtualservices/cat-svc", None)
        world.until_ready()


def test_an_annotation_adopts(world):
    foreign = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "cat-svc", "namespace": "demo"},
        "spec": {"hosts": ["cat-svc"], "http": [{"route": [{"destination": {"host": "cat-svc"}}]}]},
    }
    world.api.put(foreign)
    with world.controller():
        world.apply(document())
        world.until(lambda: world.conditions().get("Ready", {}).get("reason") == "NotOurs")
        world.apply(document(annotations={"graylane.dev/adopt": "true"}))
        world.until_ready()
    assert any("gray" in name for name in world.lane_routes())


def test_hosts_of_other_namespaces_are_not_routed_unless_that_is_allowed(world):
    elsewhere = changed(document(), lambda spec: spec["services"]["dog"].update(host="dog-svc.other"))
    with world.controller():
        world.apply(elsewhere)
        world.until(lambda: "Stalled" in world.conditions())
    assert "--allow-namespace other" in world.conditions()["Stalled"]["message"]
    assert world.routes() == set()


def test_a_controller_of_all_namespaces_sees_each(world):
    with world.controller(namespaces=()):
        world.apply(document())
        world.until_ready()


@pytest.mark.slow
def test_two_controllers_work_one_at_a_time(world):
    with world.controller():
        world.until(lambda: any("leads" in one for one in world.said))
        with world.controller():
            world.apply(document())
            world.until_ready()
            world.until(lambda: any("stands by" in one for one in world.said))
    assert sum(one.startswith("leads") for one in world.said) == 1


def test_a_worker_that_has_lost_a_lease_leaves_no_leader_that_does_nothing(world, monkeypatch):
    monkeypatch.setattr(controller, "STANDBY", 0.1)
    lost, look = [], reconcile.Reconciler.look

    def once(self, group, *, mesh):
        if not lost:
            lost.append(group)
            raise LockLost("somebody took it")
        return look(self, group, mesh=mesh)

    monkeypatch.setattr(reconcile.Reconciler, "look", once)
    with world.controller():
        world.apply(document())
        world.until_ready()
    assert lost


def test_an_api_server_that_does_not_answer_is_told_in_a_line_and_asked_again(world, monkeypatch):
    monkeypatch.setattr(controller, "BUSY", 0.1)
    refused, read = [], lanegroups.read

    def once(*given):
        if not refused:
            refused.append(given)
            raise Unreachable("no answer from the API server")
        return read(*given)

    monkeypatch.setattr(lanegroups, "read", once)
    with world.controller():
        world.apply(document())
        world.until_ready()
    assert any(one.endswith("demo/pets: no answer from the API server") for one in world.said)
    assert not any("Traceback" in one for one in world.said)


def test_a_worker_that_outlives_the_leadership_writes_into_no_status(world, monkeypatch):
    """As one that was cut off from the API server, and finds it again after another process has done its work."""
    monkeypatch.setattr(controller, "GOODBYE", 0.1)
    again, late, begun, carry_out = threading.Event(), [], threading.Event(), reconcile.carry_out

    def cut_off(*given):
        if threading.current_thread() in late or begun.is_set():
            return carry_out(*given)
        late.append(threading.current_thread())
        begun.set()
        again.wait(20)
        raise ClusterError("stopped in step 1 of 6: no answer")

    monkeypatch.setattr(reconcile, "carry_out", cut_off)
    with world.controller():
        world.apply(document())
        assert begun.wait(20)
    with world.controller():
        world.until_ready()
    again.set()
    late[0].join(20)
    assert not late[0].is_alive()
    assert set(world.conditions()) == {"Ready"}


def test_the_document_of_the_tests_is_a_valid_group():
    assert groups(parse(json.dumps(document()), "pets.json"))[0].spec.metadata.name == "pets"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Applied", "Drift"])
def test_events_are_of_the_object(world, name):
    with world.controller():
        world.apply(document())
        world.until_ready()
        world.api.put(edited(world.api.get("virtualservices", "cat-svc"), "http"))
        world.until(lambda: world.events("Drift"))
    (found, *_) = (one for one in world.api.objects.values() if one.get("reason") == name)
    assert found["involvedObject"]["kind"] == "LaneGroup"
    assert found["involvedObject"]["uid"] == world.object()["metadata"]["uid"]
