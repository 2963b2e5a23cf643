"""A worker through any sequence of inputs: what it changes is what the state machine asked for, and nothing else; and
after a crash anywhere it does the same once more, which changes nothing."""

from collections.abc import Mapping
from datetime import timedelta

import hypothesis
import pytest
from canned import answering
from fake_api import deployment
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from rollout_world import GROUP, METRICS, NOW, group, rollout
from runner_world import cluster, mesh, rendered

from meshconfig.cluster.client import Client
from meshconfig.rollout import events, steps, store
from meshconfig.rollout.actions import Analyse, Retire, Route, Scale, TakeUp, Wait
from meshconfig.rollout.machine import allows, resume
from meshconfig.rollout.runner import measuring, worker
from meshconfig.rollout.state import Phase, State

pytestmark = pytest.mark.slow

__all__ = ["cluster", "mesh"]

BEGUN = {"cat-v1": 8, "cat-v2": 1, "mouse-v1": 4, "mouse-v2": 1}
BASE = group(GROUP.replace("v2: {labels: {v: v2}}", "v2: {labels: {v: v2}, autoscale: {min: 1, max: 3}}", 1))
ROUTES = ("virtualservices", "destinationrules", "gateways", "horizontalpodautoscalers")
SAID = [events.Approve, events.Resume, events.Pause, events.Abort, events.Rollback, events.Supersede]
ANSWERS = {"pass": "3", "fail": "99", "no data": "NaN"}
WAYS = {
    "batches": [{"weight": 25, "replicas": "50%"}, {"pause": {}}, {"weight": 75, "replicas": 6}, {"weight": 100}],
    "analysis": [{"weight": 50, "analysis": {"for": "1m"}}, {"pause": {"for": "5m"}}, {"weight": 100}],
    "auto": [{"auto": {"from": 10, "to": 90, "add": 40, "every": "1m"}}, {"weight": 100}],
}


class Killed(BaseException):
    pass


class Driven:
    """One rollout of `cat` (v2 has an autoscaler) and `mouse`, its clock, and what a worker did to the cluster."""

    def __init__(self, mesh, patch, plan, prometheus):
        self.mesh, self.plan, self.prometheus = mesh, plan, prometheus
        self.now, self.wrong, self.writes = NOW, [], []
        self.left: int | None = None  # requests until the worker is killed
        self.before_save = False  # kill it when it is about to store what it did
        for module in (store, measuring):
            patch.setattr(module, "now", lambda: self.now)
        self._request, self._save, self._step = Client.request, store.save, worker.step
        patch.setattr(Client, "request", lambda *given, **more: self._killing(*given, **more))
        patch.setattr(store, "save", lambda *given: self._saving(*given))
        patch.setattr(worker, "step", lambda *given: self._stepping(*given))
        mesh.api.objects = {name: one for name, one in mesh.api.objects.items() if name[0] == "services"}
        for name, count in BEGUN.items():
            mesh.api.put(deployment(name, {"v": name[-2:]}, count))
        mesh.apply(BASE)
        self.routes = mesh.routes()
        mesh.start(plan)
        mesh.api.before[:] = [self._seen]

    # What the worker does is seen here, and held against what the stored state asks for.

    def _killing(self, *given, **more):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed
        return self._request(*given, **more)

    def _saving(self, client, record, after, base=None):
        if self.before_save and after.turn != record.state.turn:
            raise Killed
        return self._save(client, record, after, base)

    def _stepping(self, state, event, now):
        if isinstance(event, events.Report):
            self._hold(self.is_done(resume(state).actions, event), f"{event} in {state.stage}")
        before = state.to_json()
        found = self._step(state, event, now)
        self._hold(found == self._step(State.from_json(before), event, now), f"another result of {event}")
        self._hold(state.to_json() == before, f"{event} changed the state that it was given")
        return found

    def _seen(self, method, path):
        place = path.partition("?")[0].split("/namespaces/demo/")[-1].split("/")
        if method == "GET" or "dryRun" in path or place[0] not in (*ROUTES, "deployments"):
            return
        self.writes.append((method, path))
        self._hold(self.is_asked(method, *place), f"{method} {path} in {self.mesh.state().stage}")

    def _hold(self, condition, what):
        if not condition:
            self.wrong.append(what)

    def is_asked(self, method, kind, name, *sub):
        for action in resume(self.mesh.state()).actions:
            match action:
                case Scale(versions):
                    scaled = {f"{one.service}-{one.version}" for one in versions if (one.service, one.version) != AUTO}
                    bounds = any((one.service, one.version) == AUTO for one in versions)
                    asked = name in scaled if sub == ("scale",) else kind != "deployments" and bounds
                case Route():
                    asked = kind != "deployments"
                case Retire(versions):
                    old = {f"{service}-{version}" for service, version in versions.items()}
                    asked = kind != "deployments" or (method == "DELETE" and name in old)
                case _:
                    asked = False
            if asked:
                return True
        return False

    def is_done(self, actions, report):
        """Is what a report says true, and was it asked for?"""
        match report, *actions:
            case events.Start(sizes=sizes), TakeUp(), *_:
                return {f"{name}-{one}": count for name, each in sizes.items() for one, count in each.items()} == BEGUN
            case events.PodsReady(), Scale(versions), *_:
                return all(map(self._has, versions))
            case (events.Routed(), Route(change), *_) | (events.OldRetired(), Retire(_, change), *_):
                gone = {f"{name}-{version}" for name, version in self._retired(actions).items()}
                return not gone & set(self.mesh.replicas()) and self.mesh.routes() == self._rendered(change)
            case events.Elapsed(), Wait(until), *_:
                return self.now >= until
            case events.Measured(readings=readings), Analyse(asks), *_:
                due = {(one.metric, one.service) for one in asks if one.at <= self.now}
                return {(one.metric, one.service) for one in readings} == due
        return False

    def _has(self, one):
        count = self.mesh.replicas()[f"{one.service}-{one.version}"]
        at_least = one.at_least or (one.service, one.version) == AUTO
        return count >= one.replicas if at_least else count == one.replicas

    def _retired(self, actions) -> Mapping[str, str]:
        return next((one.versions for one in actions if isinstance(one, Retire)), {})

    def _rendered(self, change):
        return rendered(steps.wanted(BASE, self.plan, change))

    # The inputs.

    def drive(self, requests):
        """Until that many requests are sent; then the process is gone, and so is its Lease."""
        self.left = requests
        try:
            self.mesh.worker().run()
        except Killed:
            pass
        finally:
            self.left = None
        self.mesh.api.objects.pop(("leases", "demo", "graylane-pets"), None)  # its process is known to be dead
        assert self.wrong == []

    def crash(self):
        """After an action and before the state is stored; then the next worker does the action again."""
        self.before_save = True
        self.drive(PATIENCE)
        there = self.mesh.state(), self.mesh.routes(), self.mesh.replicas()
        self.writes.clear()
        self.drive(PATIENCE)
        self.before_save = False
        assert (self.mesh.state(), self.mesh.routes(), self.mesh.replicas()) == there
        assert self.writes == []

    def say(self, kind):
        if allows(self.mesh.state(), kind):
            self.mesh.say(kind("eva"))

    def answer(self, answer):
        self.prometheus.answers = [sample(ANSWERS[answer])]

    def sleep(self, seconds):
        self.now += timedelta(seconds=seconds)

    def finish(self):
        self.answer("pass")
        for _ in range(50):
            if self.mesh.state().phase.final:
                return
            self.drive(PATIENCE)
            self.sleep(60)
            self.say(events.Approve)
            self.say(events.Resume)
        raise AssertionError(f"it does not come to an end: {self.mesh.state().stage}")


AUTO = ("cat", "v2")  # has an autoscaler
PATIENCE = 150  # requests for whatever a worker may do until it waits for somebody


def sample(value):
    return 200, f'{{"status": "success", "data": {{"resultType": "scalar", "result": [9999999999, "{value}"]}}}}'


INPUTS = st.one_of(
    st.tuples(st.just(Driven.drive), st.integers(1, 100)),
    st.tuples(st.just(Driven.crash)),
    st.tuples(st.just(Driven.say), st.sampled_from([events.Approve, *SAID])),
    st.tuples(st.just(Driven.answer), st.sampled_from(list(ANSWERS))),
    st.tuples(st.just(Driven.sleep), st.integers(1, 300)),
)


@settings(
    max_examples=12,
    deadline=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate],  # to shrink takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.sampled_from(list(WAYS)),
    st.sampled_from([None, "cat.example.com"]),
    st.sampled_from(["rollback", "hold"]),
    st.sampled_from([None, "1m"]),
    st.lists(INPUTS, min_size=3, max_size=12),
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_whatever_happens_a_worker_does_what_the_machine_asked_for(mesh, way, entry, on_fail, keep_old, inputs):
    with pytest.MonkeyPatch.context() as patch, answering(sample("3")) as prometheus:
        more = {"entry": entry, "onFail": on_fail, "keepOld": keep_old}
        if way != "batches":
            more["analysis"] = {"prometheus": prometheus.url, "metrics": METRICS[1:]}
        driven = Driven(mesh, patch, rollout(WAYS[way], **more), prometheus)
        try:
            for call, *given in inputs:
                note(f"{driven.mesh.state().stage}: {call.__name__} {given}")
                call(driven, *given)
            driven.finish()
        finally:
            mesh.api.before.clear()
    assert driven.wrong == []
    if mesh.state().phase is Phase.SUCCEEDED:
        assert mesh.routes() == rendered(steps.ended(BASE, driven.plan))
    else:
        assert mesh.routes() == driven.routes
        assert {**mesh.replicas(), "cat-v2": 1} == BEGUN
