"""The story under load of `test_no_request_lost` in the backend `gateway`: the mesh is changed by HTTPRoutes and
a Service for each version, and `graylane` has the rights of k8s/rbac with those of its folder gateway-api.

No request fails, and none is answered half by the old and half by the new.
"""

from dataclasses import replace

import pytest
from account import Account
from load_judge import total, wrong
from load_mesh import Graylane, apply, available
from load_story import ADDED, RETIRED, START, TAKEN, TURNED, WEIGHTED, from_the_start, living, traffic
from load_story import CHANGES as EVERY_CHANGE
from load_world import GROUP, NAMESPACE, deployments, shared_gateway
from soak import SOAK

pytestmark = pytest.mark.cluster
ENOUGH = 20_000 if SOAK else 1_000
LONGEST = 1800.0  # seconds of load, at most
OPERATOR = Account("rbac", "graylane", gateway_api=True)
SHORT = [("add a version and its lane", ADDED), ("a split", WEIGHTED[-1]), ("take v2 over to 100 %", TAKEN)]
CHANGES = EVERY_CHANGE if SOAK else SHORT


def of_gateway_api(world):
    return replace(world, backend="gateway")


@pytest.fixture(scope="module")
def mesh():
    with living(START.versions) as address:
        apply([shared_gateway()])
        yield address


@pytest.fixture
def story(mesh, tmp_path):
    return from_the_start(mesh, tmp_path, of_gateway_api(START))


def test_no_request_is_lost_and_none_gets_half_of_a_change(story, tmp_path):
    graylane = Graylane(tmp_path, operator=OPERATOR)
    graylane.apply(of_gateway_api(START))
    with traffic(story, "graylane apply, backend gateway", LONGEST):
        lives(story, graylane)
        story.until_enough(ENOUGH, LONGEST / 3)
    whole = total(story.rows())
    assert (whole.failed, whole.mixed) == (0, 0), f"\n{wrong(story.rows())}"
    assert whole.sent >= ENOUGH


def lives(story, graylane):
    with story.change("v3 starts", story.world):
        apply(deployments("v3"))
        available()
    for name, world in CHANGES:
        change(story, graylane, name, world)
    with story.change("roll back", of_gateway_api(CHANGES[-2][1])):
        graylane.run("rollback", GROUP, "-n", NAMESPACE)
    for steps in range(2 if SOAK else 1):
        with story.change(f"killed after step {steps + 1}, and again", of_gateway_api(TURNED)):
            assert graylane.killed(of_gateway_api(TURNED), steps + 1, 0.2), "it had ended before"
            graylane.apply(of_gateway_api(TURNED))
        change(story, graylane, "and back", RETIRED if steps else TAKEN)


def change(story, graylane, name, world):
    with story.change(name, of_gateway_api(world)):
        graylane.apply(of_gateway_api(world))
