"""Under load, a mesh is changed by `kubectl apply` of one LaneGroup alone, with a controller that has no more rights
than k8s/controller gives: the life of a version, drift by hand, kills, two controllers, changes faster than a plan can
follow, and a deletion in the middle. No request fails, and none is answered half by the old and half by the new.
"""

import json
import random
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from account import Account
from load_hops import reported
from load_judge import total, wrong
from load_mesh import apply, available, scale
from load_objects import ControllerProcess, Objects
from load_story import CHANGES, SHORT, START, TAKEN, TURNED, from_the_start, living, traffic
from load_world import GROUP, NAMESPACE, deployments, shared_gateway
from mesh_cluster import HTTP_ROUTES, LANE_GROUPS, forget, kubectl, own_kinds, until
from soak import SOAK
from tcp_forwarder import Forwarder

pytestmark = pytest.mark.cluster
LONGEST = 1800.0  # seconds of load, at most
CUT = 60.0 if SOAK else 20.0  # seconds that the leader is without the API server
KILLS, LATEST = 20 if SOAK else 3, 6.0  # and at most how many seconds after a change a kill comes
SEED = 18
FOR_GATEWAY_API = Account("controller", "graylane-controller", gateway_api=True)


@pytest.fixture(scope="module")
def mesh():
    """The namespace, with v1 and v2 running; the gateway's address."""
    own_kinds()
    with living(START.versions) as address:
        yield address


@pytest.fixture
def story(mesh, tmp_path):
    return from_the_start(mesh, tmp_path)


@contextmanager
def lossless(story, title):
    with traffic(story, title, LONGEST):
        yield
    whole = total(story.rows())
    assert (whole.failed, whole.mixed) == (0, 0), f"\n{wrong(story.rows())}\n{reported()}"
    assert all(row.sent for row in story.rows()), "a step without requests shows nothing"


def test_what_is_applied_becomes_true_without_a_lost_request(story, tmp_path):
    mesh = Objects()
    with ControllerProcess(tmp_path).running() as controller:
        mesh.apply(START)
        with lossless(story, "kubectl apply of a LaneGroup"):
            with story.change("v3 starts", story.world):
                apply(deployments("v3"))
                available()
            for name, world in CHANGES if SOAK else SHORT:
                with story.change(name, world):
                    mesh.apply(world)
            with story.change("v1 starts again", story.world):
                scale("v1", 1)
            drifts(story)
            killed(story, mesh, controller)
            fast(story, mesh)
            two(story, mesh, tmp_path)
            cut_off(story, mesh, controller, tmp_path)
        gone(mesh)


def drifts(story):
    """Somebody edits the mesh by hand, in a way that changes no answer, and the controller goes back."""
    with story.change("somebody edits a timeout", story.world):
        goes_back("virtualservices.networking.istio.io/mouse-svc", "/spec/http/0/timeout", "55s")
    until(lambda: "kubectl-edit" in events("Drift"), "the Event that names the manager")


def goes_back(name, field, value):
    """Somebody writes a field of a resource by hand."""

    def spec():
        return kubectl("get", name, "-n", NAMESPACE, "-o", "jsonpath={.spec}").stdout

    before, patch = spec(), json.dumps([{"op": "add", "path": field, "value": value}])
    kubectl("patch", name, "-n", NAMESPACE, "--type=json", "-p", patch, "--field-manager=kubectl-edit")
    until(lambda: spec() == before, f"the spec's {name}")


def events(reason):
    query = ("get", "events", "-n", NAMESPACE, f"--field-selector=reason={reason}", "-o", "yaml")
    return kubectl(*query).stdout


def killed(story, mesh, controller):
    chance = random.Random(SEED)
    for number in range(KILLS):
        world, seconds = (TAKEN, TURNED)[number % 2], chance.uniform(0, LATEST)
        with story.change(f"kill -9 {seconds:.1f} s after a change", world):
            mesh.write(world)
            time.sleep(seconds)
            controller.kill()
            controller.start()
            mesh.settled()


def fast(story, mesh):
    """Five specs during one plan: each is whole, and the last one wins."""
    states = [TURNED, TAKEN, TURNED, TAKEN, TURNED]
    allowed = AnyOf([story.world, *states])
    with story.change("five specs in three seconds", allowed):
        for world in states:
            mesh.write(world)
            time.sleep(0.6)
        mesh.settled()
    with story.change("and the last of them holds", states[-1]):
        mesh.settled()


class AnyOf:
    """Whichever of several states: requests during a change of changes may meet each of them, whole."""

    def __init__(self, worlds):
        self.worlds = worlds

    def allowed(self):
        tags = self.worlds[0].allowed()
        return {tag: frozenset().union(*(world.allowed()[tag] for world in self.worlds)) for tag in tags}


def two(story, mesh, folder):
    """Two controllers: one works, and the other takes over when it is gone."""
    with ControllerProcess(folder, name="second").running() as second:
        until(lambda: "stands by" in second.said(), "the second one stands by")
        with story.change("a change with two controllers", TAKEN):
            mesh.apply(TAKEN)


def cut_off(story, mesh, controller, folder):
    """The leader loses the API server in the middle of a change: another one goes on, and the first writes no more."""
    controller.stop()
    with (
        Forwarder.to_api_server() as line,
        ControllerProcess(folder, name="cut-off", through=line.port).running() as far,
    ):
        until(lambda: "leads" in far.said(), "the one that is to be cut off leads")
        controller.start()
        with story.change(f"the leader is cut off for {CUT:.0f} s", TURNED):
            mesh.write(TURNED)
            time.sleep(2)
            line.refuse()
            began = time.monotonic()
            mesh.settled()
            time.sleep(max(0.0, CUT - (time.monotonic() - began)))
        with story.change("it is back, and does nothing", TURNED):
            line.accept()
            until(lambda: far.said().count("stands by") >= 1, "it stands by")
            time.sleep(3)
        mesh.settled()


def gone(mesh):
    """The object is deleted in the middle of a change: its routes go, and then the object."""
    mesh.write(START)
    time.sleep(1)
    kubectl("delete", f"lanegroups.graylane.dev/{GROUP}", "-n", NAMESPACE, "--timeout=120s")
    assert mesh.read() == {}
    left = kubectl("get", "virtualservices.networking.istio.io,destinationrules.networking.istio.io", "-n", NAMESPACE)
    assert "No resources found" in left.stderr


def test_what_somebody_does_to_a_group_of_the_gateway_api_by_hand_goes_back(story, tmp_path):
    """No watch is refused: k8s/controller/gateway-api is enough for those of its kinds."""
    apply([shared_gateway()])
    service = ("service/cat-svc-v2", "-n", NAMESPACE)
    with ControllerProcess(tmp_path, of=FOR_GATEWAY_API).running() as controller:
        Objects().apply(replace(START, backend="gateway"))
        goes_back(f"{HTTP_ROUTES}/mouse-svc", "/spec/rules/0/timeouts", {"request": "55s"})
        until(lambda: "HTTPRoute" in events("Drift"), "the Event that names it")
        kubectl("delete", *service)
        until(lambda: kubectl("get", *service, "-o", "name", "--ignore-not-found").stdout, "the Service of a version")
    forget(LANE_GROUPS, NAMESPACE)  # other tests see a deletion
    assert "forbidden" not in controller.said()
    assert "watch of" not in controller.said()
