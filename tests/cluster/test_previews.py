"""Preview lanes under load, with real sidecars: all at once on chains of services, and meanwhile a pull request by the
CI scripts of examples/previews. The controller is killed while they go, and when they come again while they come;
that time they end by their ttl. No request without a lane fails. From when a lane is Ready until it is deleted its
requests get its own versions, and nobody else's ever do.
"""

import json
import time
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest
from account import PREVIEWS, account
from ci_files import github, run
from forge import forge
from load_judge import table, total, wrong
from load_mesh import apply
from load_objects import ControllerProcess, Objects
from mesh_cluster import gateway_address, kubectl, own_kinds, until
from preview_chains import GROUP, IMAGE, PreviewChains
from preview_load import traffic
from preview_story import PreviewStory, listed
from soak import SOAK

pytestmark = pytest.mark.cluster
SERVICES, LANES = (10, 20) if SOAK else (4, 6)
WORLD = PreviewChains("graylane-previews", SERVICES, LANES)
AGAIN = WORLD.previews() if SOAK else WORLD.previews()[:2]  # the lanes that come a second time
LONGEST = 1800.0  # seconds of load, at most
RATE = 60.0 if SOAK else 40.0  # requests a second, half of them without a lane
KILL = 3.0  # seconds after a change until the controller is killed
# The figures are printed. These are only so that a test ends: a shared machine starts forty processes in minutes.
REACHED, GONE = (600.0, 400.0) if SOAK else (240.0, 180.0)
STEADY = 8.0  # seconds in which nothing changes
EVENT = {"event.number": "42", "event.pull_request.head.sha": "abc1", "token": "a-token"}


@pytest.fixture(scope="module")
def address():
    """The namespace, with the baseline's Pods; the gateway's address."""
    own_kinds()
    kubectl("delete", "namespace", WORLD.namespace, "--ignore-not-found")
    apply([*WORLD.surroundings(), *WORLD.deployments()])
    kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", WORLD.namespace, "--timeout=300s")
    yield gateway_address()
    kubectl("delete", "namespace", WORLD.namespace, "--wait=false")


@pytest.fixture
def story(address, tmp_path):
    return PreviewStory(WORLD, address, tmp_path / "requests.jsonl")


def test_lanes_come_and_go_at_once_and_nobody_meets_anothers(story, tmp_path):
    with ControllerProcess(tmp_path, WORLD.namespace).running() as controller:
        Objects(WORLD.namespace, GROUP).apply(WORLD)
        routes, began = routing(), time.monotonic()
        until(lambda: answers(story.address, WORLD.host(0))[0] == 200, "the baseline's answer")
        try:
            with traffic(story.address, story.targets(), story.out, seconds=LONGEST, rate=RATE):
                with timed(story, "nobody is killed while they come"):
                    come(story, WORLD.previews())
                    time.sleep(STEADY)
                    pull_request(story, tmp_path)
                    go(story, controller)
                with timed(story, "the controller is killed while they come"):
                    come(story, AGAIN, controller)
                    time.sleep(STEADY)
                    expire(story, AGAIN)
                time.sleep(STEADY)
        finally:
            title = f"{LANES} lanes, {SERVICES} services, {time.monotonic() - began:.0f} s"
            print(table(title, story.rows()), flush=True)
        assert routing() == routes
        kubectl("delete", f"lanegroups.graylane.dev/{GROUP}", "-n", WORLD.namespace, "--timeout=120s")
    rows = story.rows()
    assert (total(rows).failed, total(rows).mixed) == (0, 0), f"\n{wrong(rows)}"
    for lane in WORLD.previews():
        assert story.answered_by_lane(lane), f"{lane.name} has answered nothing"


@contextmanager
def timed(story, title):
    """A round of lanes that come and go; its times are printed whatever becomes of it."""
    try:
        yield
    finally:
        print(story.times(title), flush=True)


def come(story, lanes, killed=None):
    """All lanes in one write; `killed` is the controller that is killed while it makes them, and started again."""
    story.begin(lanes)
    apply([WORLD.lane(one) for one in lanes])
    kill(killed)
    story.until(lambda life: life.ready is not None, "ready", REACHED)


def go(story, killed=None):
    story.end()
    kubectl("delete", "lanes.graylane.dev", *story.lives, "-n", WORLD.namespace, "--wait=false")
    kill(killed)
    story.until(lambda life: life.gone is not None, "gone", GONE)


def expire(story, lanes):
    """Has all lanes at the end of their time at once."""
    story.end()
    apply([WORLD.lane(one, ttl="1s") for one in lanes])
    story.until(lambda life: life.gone is not None, "gone", GONE)


def kill(controller):
    if controller:
        time.sleep(KILL)
        controller.kill()
        controller.start()


def pull_request(story, folder):
    """One more lane by the steps of GitHub's file, as an account that may write Lanes alone."""
    rights = {"KUBECONFIG": str(account(WORLD.namespace, folder, of=PREVIEWS))}
    here = {"NAMESPACE": WORLD.namespace, "IMAGE": f"{IMAGE}:abc1"}
    with forge() as hub:
        run(github("create", EVENT), folder, **rights, **here, **hub.github)
        (text,) = hub.comments.values()
    assert f"**<http://{WORLD.host(0)}/.lane/pr-42>**" in text
    assert f"curl -H 'env: pr-42' http://{WORLD.host(0)}/" in text
    status, headers = answers(story.address, WORLD.host(0), {"env": "pr-42"})
    assert (status, headers["x-graylane-trail"]) == (200, "cat/pr-42")
    _, headers = answers(story.address, f"pr-42.{WORLD.host(0)}")
    assert headers["x-graylane-trail"] == "cat/pr-42"
    status, headers = answers(story.address, WORLD.host(0), path="/.lane/pr-42")
    assert (status, "lane=pr-42" in headers["set-cookie"]) == (302, True)
    run(github("delete", EVENT), folder, **rights, **here)
    until(lambda: not left("pr-42"), "the end of pr-42", GONE)


def answers(address, host, headers=(), path="/sayHello"):
    """(status, headers) of one request."""
    name, _, port = address.rpartition(":")
    connection = HTTPConnection(name, int(port), timeout=30)
    try:
        connection.request("GET", path, headers={"Host": host, **dict(headers)})
        answer = connection.getresponse()
        answer.read()
        given = {}
        for key, value in answer.getheaders():
            given[key.lower()] = f"{given[key.lower()]}, {value}" if key.lower() in given else value
        return answer.status, given
    finally:
        connection.close()


def left(lane):
    """What there is of a lane."""
    found = [*listed("lanes.graylane.dev", WORLD.namespace), *listed("deployments", WORLD.namespace)]
    return [
        one["metadata"]["name"]
        for one in found
        if lane in (one["metadata"]["name"], one["metadata"].get("labels", {}).get("graylane.dev/lane"))
    ]


def routing():
    """What routes requests, as one text."""
    kinds = "virtualservices.networking.istio.io,destinationrules.networking.istio.io,gateways.networking.istio.io"
    found = listed(kinds, WORLD.namespace)
    return {f"{one['kind']}/{one['metadata']['name']}": json.dumps(one["spec"], sort_keys=True) for one in found}
