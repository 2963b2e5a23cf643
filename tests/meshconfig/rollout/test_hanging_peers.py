"""While Prometheus or a webhook hangs, everything else goes on: decisions, other webhooks, the next messages."""

import gc
import json
import threading
import weakref

import pytest
from canned import answering
from misbehaving import misbehaving
from rollout_world import METRICS, rollout
from runner_world import Patient, cluster, mesh

from meshconfig.exchange.send import Limits
from meshconfig.rollout import notify, prometheus, store
from meshconfig.rollout.events import Abort
from meshconfig.rollout.runner import webhooks
from meshconfig.rollout.state import Phase, Stage

__all__ = ["cluster", "mesh"]

STRAIGHT = [{"weight": 50}, {"weight": 100}]
MEASURED = [{"weight": 50}, {"analysis": {"for": "1ms"}}, {"weight": 100}]


@pytest.fixture(autouse=True)
def patient_limits(monkeypatch):
    """Whoever waits for a peer that hangs would wait for longer than any test does."""
    monkeypatch.setattr(notify, "LIMITS", Limits(600.0, 0))
    monkeypatch.setattr(
        prometheus.Prometheus.__init__, "__kwdefaults__", {"limits": Limits(600.0, prometheus.LIMITS.size)}
    )


def outcomes(mesh):
    value = mesh.metrics.registry.get_sample_value
    return {
        one: value("graylane_rollout_webhooks_total", {"outcome": one}) for one in ("delivered", "failed", "dropped")
    }


def errors(mesh):
    return mesh.metrics.registry.get_sample_value("graylane_rollout_errors_total", {"what": "webhook"})


def over(state):
    return state.phase.final


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["hang", "drip headers", "drip body"])
def test_an_abort_is_carried_out_while_prometheus_hangs(mesh, fault):
    before = mesh.routes()
    with misbehaving(fault) as server:
        url = f"http://127.0.0.1:{server.port}"
        metrics = [{**METRICS[1], "every": "1ms"}]
        mesh.start(rollout(MEASURED, keepOld=None, analysis={"prometheus": url, "metrics": metrics}))
        stop = Patient(2000)
        worker = threading.Thread(target=mesh.worker(stop=stop).run)
        worker.start()
        while not server.seen:
            assert worker.is_alive(), mesh.said
            stop.wait(0.01)
        assert mesh.state().stage is Stage.ANALYSE
        mesh.say(Abort("bob", "now"))
        worker.join(60)
        assert not worker.is_alive()
        assert not server.released.is_set(), "it hangs still"
    assert mesh.state().phase is Phase.ABORTED
    assert mesh.routes() == before


@pytest.mark.slow
def test_a_webhook_that_hangs_keeps_nothing_from_the_others(mesh):
    with misbehaving("hang") as dead, answering((200, "")) as hook:
        urls = [f"http://127.0.0.1:{dead.port}", hook.url]
        mesh.start(rollout(STRAIGHT, keepOld=None, notify=[{"url": url} for url in urls]))

        def arrived(state):
            return state.phase.final and len(hook.seen) == len(state.log)

        state = mesh.run(until=arrived, stop=Patient(2000))
        assert len(dead.seen) == 1
    assert [json.loads(body)["data"]["number"] for *_, body in hook.seen] == [one.number for one in state.log]
    assert state.told == 0, "the next runner sends to the one that hangs again"
    assert outcomes(mesh) == {"delivered": len(state.log), "failed": 0, "dropped": 0}


def test_what_is_too_much_for_a_webhook_is_dropped_and_counted(mesh, monkeypatch):
    monkeypatch.setattr(webhooks, "BACKLOG", 2)
    monkeypatch.setattr(notify, "PAUSES", ())
    with misbehaving("hang") as dead:
        mesh.start(rollout(STRAIGHT, keepOld=None, notify=[{"url": f"http://127.0.0.1:{dead.port}"}]))

        def ended(state):
            if state.phase.final and outcomes(mesh)["dropped"] == len(state.log) - 3:
                dead.released.set()
            return False

        state = mesh.run(until=ended, stop=Patient(2000))
    log = len(state.log)
    assert state.told == log
    assert outcomes(mesh) == {"delivered": 0, "failed": 3, "dropped": log - 3}
    assert errors(mesh) == log
    assert any("entries dropped, because it is too slow" in line for line in mesh.said)


def test_behind_a_receiver_that_is_down_each_message_is_tried_once(mesh):
    with answering((500, "")) as hook:
        mesh.start(rollout(STRAIGHT, keepOld=None, notify=[{"url": hook.url}]))
        state = mesh.run(stop=Patient(4000))
        numbers = [json.loads(body)["data"]["number"] for *_, body in hook.seen]
    tries = [numbers.count(one.number) for one in state.log]
    assert tries == [1 + len(notify.PAUSES), *[1] * (len(state.log) - 1)]
    assert state.told == len(state.log)
    assert outcomes(mesh) == {"delivered": 0, "failed": len(state.log), "dropped": 0}
    assert errors(mesh) == len(state.log)


@pytest.mark.slow
def test_once_a_message_has_arrived_the_next_are_tried_again_as_before(mesh, monkeypatch):
    monkeypatch.setattr(notify, "PAUSES", (0.0,))
    answers = [(500, ""), (500, ""), (200, ""), (500, ""), (200, "")]
    with answering(*answers) as hook:
        mesh.start(rollout(STRAIGHT, keepOld=None, notify=[{"url": hook.url}]))
        state = mesh.run(stop=Patient(2000))
        numbers = [json.loads(body)["data"]["number"] for *_, body in hook.seen]
    assert numbers[:5] == [1, 1, 2, 3, 3]
    assert outcomes(mesh) == {"delivered": len(state.log) - 1, "failed": 1, "dropped": 0}


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["redirect", "reset", "no HTTP", "html 403"])
def test_a_receiver_that_misbehaves_stops_nothing_and_no_secret_is_told(mesh, monkeypatch, fault):
    monkeypatch.setattr(notify, "PAUSES", (0.0,))
    with misbehaving(fault) as server:
        url = f"http://user:p4ssw0rd@127.0.0.1:{server.port}/services/p4ssw0rd?token=p4ssw0rd"
        mesh.start(rollout(STRAIGHT, keepOld=None, notify=[{"url": url}]))
        state = mesh.run(stop=Patient(2000))
        assert server.target.seen == []
    assert state.phase is Phase.SUCCEEDED
    assert state.told == len(state.log)
    assert outcomes(mesh)["failed"] == len(state.log)
    told = [line for line in mesh.said if "webhook" in line]
    assert told
    assert all(f"webhook notify[0] http://127.0.0.1:{server.port}/…: entry" in line for line in told)
    events = [one for (kind, _, _), one in mesh.api.objects.items() if kind == "events"]
    assert events
    assert "p4ssw0rd" not in "\n".join([*mesh.said, *map(json.dumps, events)])


def test_a_password_of_prometheus_is_in_no_log_no_reason_and_no_event(mesh):
    metrics = [{**METRICS[1], "every": "1ms"}]
    analysis = {"prometheus": "http://admin:p4ssw0rd@127.0.0.1:1/x", "metrics": metrics}
    mesh.start(rollout(MEASURED, keepOld=None, analysis=analysis))
    state = mesh.run(until=lambda state: state.stage is Stage.NO_DATA, stop=Patient(2000))
    assert state.why == "queue: http://127.0.0.1:1/…: connection refused"
    events = [one for (kind, _, _), one in mesh.api.objects.items() if kind == "events"]
    shown = {name: value for name, value in mesh.object()["status"].items() if name != "state"}
    texts = [*mesh.said, *map(json.dumps, events), json.dumps(shown), *(entry.why for entry in state.log)]
    assert "p4ssw0rd" not in "\n".join(texts)


@pytest.mark.slow
def test_a_rollout_that_was_stored_with_more_webhooks_than_one_may_have_now_does_not_start_a_thread_for_each(mesh):
    with answering((200, "")) as hook:
        plan = rollout(STRAIGHT, keepOld=None, notify=[{"url": f"{hook.url}/{number}"} for number in range(20)])
        mesh.start(plan)
        status = mesh.object()["status"]
        stored = json.loads(status["state"])
        stored["rollout"]["spec"]["notify"] *= 50
        stored["stage"] = "aborted"
        status["state"] = json.dumps(stored)
        mesh.run(stop=Patient(2000))
        assert {path for _, path, _, _ in hook.seen} == {f"/{number}" for number in range(20)}
    assert any("only the first 20 of its 1000 webhooks are sent to" in line for line in mesh.said)


def read_records(monkeypatch):
    """Weak references to each rollout that a runner reads or writes from now on."""
    found = []
    for name in ("read", "save"):
        real = getattr(store, name)

        def noted(*given, real=real):
            record = real(*given)
            found.append(weakref.ref(record))
            return record

        monkeypatch.setattr(store, name, noted)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["webhook", "prometheus"])
def test_what_a_peer_that_hangs_keeps_is_neither_the_group_nor_the_log(mesh, monkeypatch, peer):
    with misbehaving("hang") as server:
        url = f"http://127.0.0.1:{server.port}"
        if peer == "webhook":
            mesh.start(rollout([{"weight": 50}, {"pause": {}}, {"weight": 100}], notify=[{"url": url}]))
        else:
            metrics = [{**METRICS[1], "every": "1ms"}]
            mesh.start(rollout(MEASURED, keepOld=None, analysis={"prometheus": url, "metrics": metrics}))
        records, stop = read_records(monkeypatch), Patient(4000)
        runner = mesh.worker(stop=stop)
        worker = threading.Thread(target=runner.run)
        worker.start()
        waits = (Stage.APPROVAL, Stage.ANALYSE)
        while not (server.seen and mesh.state().stage in waits):
            assert worker.is_alive(), mesh.said
        stop.set()
        worker.join(60)
        runner._stored = None
        gc.collect()
        assert len(records) > 2
        assert [one for one in records if one() is not None] == []
