"""`graylane move` under load: a live group goes to the Gateway API and back, twice, and is cut off once.

No request fails, and none is answered half by one backend and half by the other.
"""

from dataclasses import replace

import pytest
import yaml
from account import Account
from load_judge import total, wrong
from load_mesh import Graylane, apply
from load_story import ADDED, START, from_the_start, living, traffic
from load_world import NAMESPACE, deployments, shared_gateway, shared_istio_gateway
from mesh_cluster import HTTP_ROUTES, kubectl
from soak import SOAK

pytestmark = pytest.mark.cluster
ENOUGH = 20_000 if SOAK else 1_000
LONGEST = 1800.0  # seconds of load, at most
OPERATOR = Account("rbac", "graylane", gateway_api=True)
WORLD = replace(ADDED, movable=True)
VIRTUAL_SERVICES = "virtualservices.networking.istio.io"
LEFT = {"gateway": VIRTUAL_SERVICES, "istio": HTTP_ROUTES}
AT_LENGTH = [("gateway", 1), ("istio", 1), ("gateway", 3), ("istio", 2)]
CUT_OFF = AT_LENGTH if SOAK else [("gateway", 2)]  # on the way to which backend, after so many steps


@pytest.fixture(scope="module")
def mesh():
    with living((*START.versions, "v3")) as address:
        apply([shared_gateway(), shared_istio_gateway(), *deployments("v3")])
        yield address
        for name in ("gateways.networking.istio.io", "gateways.gateway.networking.k8s.io"):
            kubectl("delete", name, "load", "-n", "istio-system", "--ignore-not-found")


def test_a_live_group_goes_to_the_other_backend_and_back_twice(mesh, tmp_path):
    story = from_the_start(mesh, tmp_path, WORLD)
    graylane = Graylane(tmp_path, operator=OPERATOR)
    graylane.apply(WORLD)
    with traffic(story, "graylane move", LONGEST):
        for _ in range(2):
            move(story, graylane, "gateway")
            move(story, graylane, "istio")
        for to, steps in CUT_OFF:
            cut_off(story, graylane, to, steps)
        story.until_enough(ENOUGH, LONGEST / 3)
    whole = total(story.rows())
    assert (whole.failed, whole.mixed) == (0, 0), f"\n{wrong(story.rows())}"
    assert whole.sent >= ENOUGH


def move(story, graylane, to):
    with story.change(f"move to {to}", WORLD):
        graylane.run("move", "-f", str(graylane.spec), "--to", to)
    assert yaml.safe_load(graylane.spec.read_text())["spec"]["backend"] == to
    assert not kubectl("get", LEFT[to], "-n", NAMESPACE, "-o", "name").stdout


def cut_off(story, graylane, to, steps):
    """Killed, and the same command again; the file is written at the end alone."""
    with story.change(f"move to {to}, killed after step {steps}", WORLD):
        before = graylane.spec.read_text()
        arguments = ("move", "-f", str(graylane.spec), "--to", to)
        assert graylane.cut_off(*arguments, steps=steps, seconds=0.3), "it had ended before"
        assert graylane.spec.read_text() == before
    move(story, graylane, to)
