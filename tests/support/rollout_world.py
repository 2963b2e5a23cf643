"""A rollout of two services, and a world in which one runs."""

from datetime import UTC, datetime, timedelta

import pytest

from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.rollout.actions import Analyse, ChangeKind, Notify, Retire, Route, Scale, TakeUp, Wait
from meshconfig.rollout.analysis import Answer, Reading
from meshconfig.rollout.events import Elapsed, Measured, OldRetired, PodsReady, Routed, Start
from meshconfig.rollout.machine import resume, step
from meshconfig.rollout.state import pending
from meshconfig.spec.rollout import Rollout

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SIZES = {"cat": {"v1": 8, "v2": 1}, "mouse": {"v1": 4, "v2": 1}}
GROUP = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes:
    prod: {versions: {cat: v1, mouse: v1}}
    gray: {versions: {cat: v2, mouse: v2}}
  services:
    cat: {host: cat-svc, port: 9001, calls: [mouse], versions: {v1: {labels: {v: v1}}, v2: {labels: {v: v2}}}}
    mouse: {host: mouse-svc, port: 9001, calls: [dog], versions: {v1: {labels: {v: v1}}, v2: {labels: {v: v2}}}}
    dog: {host: dog-svc, port: 9001, versions: {prod: {labels: {v: prod}}}}
  entries:
    - hosts: [cat.example.com]
      routes: [{path: {prefix: /}, service: cat}]
"""
METRICS = [
    {"name": "success", "preset": "istio-success", "min": 0.99, "every": "30s", "failures": 2},
    {"name": "queue", "query": "sum(queue_length)", "max": 10},
]
STEPS = [
    {"weight": 10, "replicas": "25%"},
    {"pause": {}},
    {"analysis": {"for": "5m"}},
    {"weight": 50, "pause": {"for": "10m"}},
    {"weight": 100},
]
AUTO = [{"auto": {"from": 5, "to": 100, "add": 40, "every": "1m"}}]


def group(text=GROUP):
    return groups(parse(text, "graylane.yaml"))[0].spec


def rollout(steps=STEPS, **more):
    asked = any("analysis" in one or "auto" in one for one in steps)
    spec = {
        "group": "pets",
        "services": {"cat": {"from": "v1", "to": "v2"}, "mouse": {"from": "v1", "to": "v2"}},
        "steps": steps,
        **({"analysis": {"prometheus": "http://127.0.0.1:1", "metrics": METRICS}} if asked else {}),
        "keepOld": "30m",
        **more,
    }
    spec = {name: value for name, value in spec.items() if value is not None}
    document = {"apiVersion": "graylane/v1", "kind": "Rollout", "metadata": {"name": "cat-v2", "namespace": "demo"}}
    return Rollout.model_validate({**document, "spec": spec})


def work(actions):
    """Without those that publish the log."""
    return tuple(one for one in actions if not isinstance(one, Notify))


class Run:
    """One rollout, its clock, and all that it asked for."""

    def __init__(self, plan=None, now=NOW):
        self.now = now
        self.state = pending(plan or rollout(), who="eva", now=now)
        self.actions = resume(self.state).actions
        self.asked = []

    def send(self, event):
        self.state, self.actions = step(self.state, event, self.now)
        self.asked += work(self.actions)
        return self

    def report(self, kind, **more):
        return self.send(kind(turn=self.state.turn, **more))

    def start(self, sizes=SIZES):
        return self.report(Start, sizes=sizes)

    def after(self, seconds):
        self.now += timedelta(seconds=seconds)
        return self

    def measure(self, answer=Answer.PASS, value=1.0, only=None):
        """Wait for what is due next, and answer it."""
        (analyse,) = (one for one in self.actions if isinstance(one, Analyse))
        self.now = max(self.now, analyse.at)
        due = [ask for ask in analyse.asks if ask.at <= self.now]
        readings = tuple(
            Reading(metric=ask.metric, service=ask.service, answer=given, value=value, why=f"{given} here")
            for ask in due
            for given in [answer if only in (None, ask.metric) else Answer.PASS]
        )
        return self.report(Measured, readings=readings)

    def obey(self):
        """Do what is asked for, as a runner for which everything goes well; False when there is nothing to report."""
        match next(iter(self.actions), None):
            case TakeUp():
                self.start()
            case Scale():
                self.report(PodsReady)
            case Route():
                self.report(Routed)
            case Retire():
                self.report(OldRetired)
            case Wait(until):
                self.now = max(self.now, until)
                self.report(Elapsed)
            case Analyse():
                self.measure()
            case _:
                return False
        return True

    def until(self, *stages):
        while self.state.stage not in stages:
            assert self.obey(), self.state.stage
        return self


@pytest.fixture
def run():
    return Run()


def routes(actions):
    """The weights that requests are moved to; what changes the baseline is said beside."""
    said = {ChangeKind.WEIGHT: (), ChangeKind.BACK: ("back",), ChangeKind.TAKE_OVER: ("taken over",)}
    changes = [one.change for one in actions if isinstance(one, Route)]
    return [(one.weight, *said[one.kind]) for one in changes]


def scaled(actions):
    """Each version's Pods, in the order in which they are scaled."""
    versions = [version for one in actions if isinstance(one, Scale) for version in one.versions]
    return [(one.service, one.version, one.replicas) for one in versions]


def retired(actions):
    return [one for action in actions if isinstance(action, Retire) for one in action.versions.items()]
