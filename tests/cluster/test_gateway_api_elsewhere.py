"""An entry whose services are in another namespace, in the backend `gateway`: while lanes and versions come and go
under load, each of them is granted before a route leads there. No request fails, and none is half old and half new.
"""

from dataclasses import replace

import pytest
import yaml
from account import Account, manifests
from load_judge import total, wrong
from load_mesh import Graylane, apply
from load_story import ADDED, START, TAKEN, from_the_start, living, traffic
from load_world import NAMESPACE, deployments, shared_gateway
from mesh_cluster import GATEWAY_API, kubectl

pytestmark = pytest.mark.cluster
HOME = "graylane-load-entry"
ENOUGH, LONGEST = 500, 300.0
GRANTS = f"referencegrants.{GATEWAY_API}"
OPERATOR = Account("rbac", "graylane", gateway_api=True)


@pytest.fixture
def mesh():
    with living(("v1", "v2", "v3")) as address:
        apply([shared_gateway(), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}}])
        apply(deployments("v3"))
        apply(map(of_home, manifests(NAMESPACE, of=OPERATOR)))
        yield address
        kubectl("delete", "namespace", HOME, "--wait=false")


def of_home(one):
    """The rights in the services' namespace, for the account of the group's."""
    if one["kind"] != "RoleBinding" or one["metadata"]["namespace"] != NAMESPACE:
        return one
    return {**one, "subjects": [{**each, "namespace": HOME} for each in one["subjects"]]}


def elsewhere(world):
    return replace(world, backend="gateway", home=HOME)


def granted():
    """The names of the Services that the entry may lead to."""
    found = yaml.safe_load(kubectl("get", GRANTS, "-n", NAMESPACE, "-o", "yaml").stdout)["items"]
    return {to["name"] for one in found for to in one["spec"]["to"]}


def test_an_entry_leads_to_services_of_another_namespace(mesh, tmp_path):
    story, graylane = from_the_start(mesh, tmp_path, elsewhere(START)), Graylane(tmp_path, HOME, OPERATOR)
    graylane.apply(elsewhere(START))
    assert granted() == {"cat-svc-v1", "cat-svc-v2"}
    with traffic(story, "graylane apply, services elsewhere", LONGEST):
        for name, world in (("a lane comes", ADDED), ("v2 is prod", TAKEN)):
            with story.change(name, elsewhere(world)):
                graylane.apply(elsewhere(world))
        story.until_enough(ENOUGH, LONGEST / 3)
    whole = total(story.rows())
    assert (whole.failed, whole.mixed) == (0, 0), f"\n{wrong(story.rows())}"
    assert granted() == {"cat-svc-v2", "cat-svc-v3"}
    graylane.run("delete", "-f", str(graylane.spec))
    assert granted() == set()
