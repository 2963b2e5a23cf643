"""In which order a step's resources are written, and what is written while its barrier waits."""

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from meshconfig.cluster.barrier import BarrierTimeout, Progress, Verification
from meshconfig.cluster.change.phases import Phase
from meshconfig.cluster.change.run import Events, Run, Settings, Stopped
from meshconfig.cluster.objects import Key
from meshconfig.cluster.plan import NewSubset, Step
from meshconfig.cluster.plan.steps import READY
from meshconfig.errors import ApiError

WAITING = Progress(0, 1, ("cat.demo: CDS",))
LOOKS = 5000  # of a barrier that nothing ends
PATIENCE = 20.0  # seconds after which a thread has not come


def resource(kind, name="cat"):
    api = "autoscaling/v2" if kind == "HorizontalPodAutoscaler" else "networking.istio.io/v1"
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "demo"}, "spec": {}}


AUTOSCALER, RULE, ROUTES = map(resource, ("HorizontalPodAutoscaler", "DestinationRule", "VirtualService"))


class Cluster:
    """What was written and deleted, in order; `autoscaler` is called before that is written."""

    def __init__(self, autoscaler=lambda: None):
        self.did, self._autoscaler = [], autoscaler

    def apply(self, manifest, *, force=False):
        if manifest["kind"] == "HorizontalPodAutoscaler":
            self._autoscaler()
        self.did.append(manifest["kind"])
        return manifest

    def delete(self, one, *, istio_api):
        self.did.append(f"delete {one.kind}")

    def map_concurrently(self, function, items):
        return [function(one) for one in items]


class PlayedBarrier:
    """A barrier that looks until `over` says so, and keeps what it was asked for."""

    def __init__(self, over):
        self.asked, self._over = [], over

    def begin(self, names):
        self.asked.append(list(names))

    def holds(self, change, report):
        self.asked.append(change)
        for _ in range(LOOKS):
            if self._over():
                return Verification.VERIFIED
            report(WAITING)
            threading.Event().wait(0.001)
        raise AssertionError("it does not come to an end")


def run(cluster, barrier, *steps, events=None, raw=None, **more):
    plan = SimpleNamespace(steps=steps)
    live = SimpleNamespace(raw=raw or {}, istio_api="v1")
    model = SimpleNamespace(tag="env", backend="istio")
    past = SimpleNamespace(last=SimpleNamespace(is_verified=True))
    known = {"past": past, "settled": True, "adopts": False, "moves": False, "gone": {}, **more}
    prepared: Any = SimpleNamespace(plan=plan, live=live, model=model, **known)
    held = SimpleNamespace(check=lambda: None)
    return Run(cluster, prepared, barrier, Settings(drain=0), held, events or Events())


THEIRS = {"managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:subsets": {}}}}]}


@pytest.mark.parametrize(
    ("known", "about", "waits"),
    [
        ({}, {}, False),
        ({"settled": False}, {}, True),
        ({"adopts": True}, {}, True),
        ({"past": SimpleNamespace(last=None)}, {}, True),
        ({"past": SimpleNamespace(last=SimpleNamespace(is_verified=False))}, {}, True),
        ({}, THEIRS, True),
    ],
)
def test_a_step_for_pods_waits_for_what_was_written_only_where_nobody_has_waited_for_it(known, about, waits):
    rule = {**RULE, "metadata": {**RULE["metadata"], **about}}
    barrier, subset = PlayedBarrier(lambda: True), NewSubset("cat", 80, "pr-1", ())
    run(
        Cluster(),
        barrier,
        replace(READY, new_subsets=(subset,)),
        raw={Key("DestinationRule", "demo", "cat"): rule},
        **known,
    ).steps()
    (change,) = (one for one in barrier.asked if not isinstance(one, list))
    assert change.new_subsets == (subset,)
    assert change.written == ((rule,) if waits else ())


def test_an_autoscaler_is_written_while_the_barrier_waits_for_the_rest():
    begun, written = threading.Event(), threading.Event()

    def written_late():
        begun.wait(PATIENCE)
        written.set()

    cluster = Cluster(written_late)

    def over():
        begun.set()
        return written.wait(PATIENCE)

    barrier = PlayedBarrier(over)
    wrote = []
    steps = [Step("subsets", "", waves=((AUTOSCALER, RULE),)), Step("routes", "", waves=((ROUTES,),))]
    done = run(cluster, barrier, *steps, events=Events(wrote=lambda *numbers: wrote.append(numbers)))
    assert done.steps() is Verification.VERIFIED
    assert cluster.did == ["DestinationRule", "HorizontalPodAutoscaler", "VirtualService"]
    assert wrote == [(1, 2), (2, 2), (1, 1)]
    first, second = (one for one in barrier.asked if not isinstance(one, list))
    assert [one["kind"] for one in first.written] == ["DestinationRule"]
    assert set(second.before) == {Key(one["kind"], "demo", "cat") for one in (AUTOSCALER, RULE)}


def test_a_step_is_not_over_before_its_autoscaler_is_written():
    late = threading.Event()
    cluster = Cluster(lambda: late.wait(0.2))
    steps = [Step("subsets", "", waves=((AUTOSCALER, RULE),)), Step("routes", "", waves=((ROUTES,),))]
    run(cluster, PlayedBarrier(lambda: True), *steps).steps()
    assert cluster.did == ["DestinationRule", "HorizontalPodAutoscaler", "VirtualService"]


def test_what_is_refused_beside_a_barrier_ends_it_at_once():
    def refuse():
        raise ApiError(403, "Forbidden", "quota is used up", [])

    cluster = Cluster(refuse)
    with pytest.raises(Stopped, match=r"stopped in step 1 of 1 \(subsets\): .*quota is used up"):
        run(cluster, PlayedBarrier(lambda: False), Step("subsets", "", waves=((AUTOSCALER, RULE),))).steps()


def test_a_barrier_that_fails_leaves_no_write_under_way():
    failed = threading.Event()
    cluster = Cluster(lambda: failed.wait(0.2))

    def over():
        raise BarrierTimeout(1, ("cat.demo: CDS",))

    with pytest.raises(Stopped, match=r"cat\.demo: CDS"):
        run(cluster, PlayedBarrier(over), Step("subsets", "", waves=((AUTOSCALER, RULE),))).steps()
    assert cluster.did == ["DestinationRule", "HorizontalPodAutoscaler"]


def test_routes_are_written_and_removed_before_the_barrier_looks():
    cluster = Cluster()
    seen = []

    def over():
        seen.append(list(cluster.did))
        return True

    barrier = PlayedBarrier(over)
    step = Step("routes", "", waves=((RULE,), (ROUTES,)), deletes=(Key("VirtualService", "demo", "was"),))
    run(cluster, barrier, step).steps()
    assert seen == [["DestinationRule", "VirtualService", "delete VirtualService"]]


def test_a_change_tells_the_seconds_of_its_phases():
    done = run(Cluster(), PlayedBarrier(lambda: True), Step("routes", "", waves=((ROUTES,),)))
    done.steps()
    assert set(done.times.seconds) == set(Phase)
    assert done.times.seconds[Phase.WRITES] > 0 < done.times.seconds[Phase.BARRIERS]
    assert done.times.seconds[Phase.PREPARE] == done.times.seconds[Phase.DRAIN] == 0
