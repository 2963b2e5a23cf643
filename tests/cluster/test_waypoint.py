"""Ambient mode: a waypoint decides as sidecars do, and as `simulate` says, for generated requests.

They are real, through a stock Envoy that istiod takes for the waypoint of `render --waypoint`: ambient_waypoint.py.
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import yaml
from ambient_waypoint import NAME, Waypoint, versions, waypoint
from cluster_agreement import agree
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lab_gateways import served
from mesh_cluster import NAMESPACE, PORT, Cluster, program
from random_specs import asked, specs
from soak import SOAK
from two_backends import compiled, for_both

from meshconfig.errors import InputError
from meshconfig.istio import Resources
from meshconfig.render import render, with_waypoint
from meshconfig.simulate import Index, Request

pytestmark = pytest.mark.cluster

EXAMPLE = Path(__file__).parents[2] / "examples" / "gateway-api" / "graylane.yaml"
SPECS = 40 if SOAK else 6
REQUESTS = 16  # to each service of a spec


@pytest.fixture(scope="module")
def ambient(cluster, tmp_path_factory):
    istiod = program("istiod")
    if istiod is None:
        pytest.skip("there is no istiod beside the tests, as in the lab, that could have ambient mode")
    with waypoint(istiod, tmp_path_factory.mktemp("waypoint")) as found:
        yield found


@dataclass
class Case:
    """A spec, what it renders to for ambient mode, and requests to each of its services."""

    value: dict
    manifests: list = field(repr=False)
    requests: dict = field(repr=False)


def rendered(value):
    """A spec without its entries, which lead to no waypoint, and its resources; None where the backend refuses it."""
    del value["spec"]["entries"]
    try:
        model = compiled(for_both(value), "gateway")
        return value, with_waypoint([model], render([model]), NAME)
    except InputError:
        return None


@st.composite
def cases(draw):
    value, manifests = draw(specs(namespace=NAMESPACE).map(rendered).filter(bool))
    some = st.lists(asked(), min_size=REQUESTS, max_size=REQUESTS)
    return Case(value, manifests, {name: draw(some) for name in value["spec"]["services"]})


@dataclass
class Meshes:
    """The same resources in ambient mode and with sidecars, and how many requests each has answered."""

    cluster: Cluster
    ambient: Waypoint
    by_waypoint: int = 0
    by_sidecars: int = 0

    def apply(self, manifests):
        self.cluster.apply([served(one) for one in manifests])
        self.ambient.settle(manifests)
        self.index = Index(Resources.parse(manifests))

    def ask(self, name, method, path, headers):
        """What chance decides, sidecars are not asked as well: test_simulate_agrees.py does that."""
        request = to(f"{name}-svc", method, path, headers)
        times = agree(self.index, request, partial(self.ambient.ask, f"{name}-svc", path, headers, method))
        self.by_waypoint += times
        if times == 1:
            ask = partial(self.cluster.ask_mesh, name, path, headers, method)
            self.by_sidecars += agree(self.index, request, ask)

    def ask_version(self, service):
        """A version's own Service is at the waypoint too; what is sent there, stays there."""
        self.by_waypoint += agree(self.index, to(service), partial(self.ambient.ask, service, "/"))


def to(service, method="GET", path="/", headers=()):
    host = f"{service}.{NAMESPACE}.svc.cluster.local"
    return Request(host, path, method, headers, source_namespace=NAMESPACE, port=PORT)


@pytest.fixture(scope="module")
def meshes(cluster, ambient):
    return Meshes(cluster, ambient)


def test_a_waypoint_holds_the_lanes_of_the_example(meshes):
    value = yaml.safe_load(EXAMPLE.read_text())
    value["metadata"]["namespace"] = NAMESPACE
    _, manifests = rendered(value)
    meshes.apply(manifests)
    for name in ("cat", "mouse"):
        for path in ("/", "/beta", "/beta/x"):
            for headers in ((), (("env", "gray"),), (("env", "prod"),), (("env", "unknown"),)):
                meshes.ask(name, "GET", path, headers)
    for name in versions(manifests):
        meshes.ask_version(name)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # it would take the place of what has failed
def test_a_waypoint_decides_on_random_specs_as_sidecars_do_and_as_simulate_says(meshes):
    @settings(
        max_examples=SPECS,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],  # shrinking on a live mesh would take hours; the spec that failed is printed whole
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases())
    def one(case):
        meshes.apply(case.manifests)
        for name, requests in case.requests.items():
            for _, method, path, headers in requests:
                meshes.ask(name, method, path, headers)

    one()
    asked = f"{meshes.by_waypoint} requests by the waypoint and {meshes.by_sidecars} by sidecars"
    print(f"\n{SPECS} random specs, {asked}, no disagreement")
    assert min(meshes.by_waypoint, meshes.by_sidecars) >= 100
