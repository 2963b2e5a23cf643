"""For random specs, what `simulate` says a request meets is what the real Istio does with it, in both backends: at the
gateway and from a Pod's sidecar, headers included, weights as frequencies."""

import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import partial

import pytest
from cluster_agreement import agree
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lab_gateways import served
from mesh_cluster import NAMESPACE, istioctl
from random_specs import asked, specs
from soak import SOAK
from two_backends import compiled, for_both

from meshconfig.errors import InputError
from meshconfig.istio import Resources
from meshconfig.render import render, to_yaml
from meshconfig.simulate import ANY_GATEWAY, Index, Request

pytestmark = pytest.mark.cluster

SPECS = 60 if SOAK else 20  # in each backend


@dataclass
class Case:
    """A spec that compiles, its resources, and requests to its entries and its services."""

    spec: dict
    manifests: list = field(repr=False)
    outside: list = field(repr=False)
    inside: list = field(repr=False)


@st.composite
def cases(draw, backend):
    value, model, manifests = draw(specs(namespace=NAMESPACE).map(partial(prepared, backend)).filter(bool))
    hosts = tuple(entry.hosts[0] for entry in model.entries)
    outside = draw(st.lists(asked(hosts), min_size=3, max_size=5))
    called = st.tuples(st.sampled_from(sorted(value["spec"]["services"])), asked())
    inside = draw(st.lists(called, min_size=2, max_size=3))
    return Case(value, manifests, outside, inside)


def prepared(backend, value):
    """A spec, its model, and what it renders to in this lab; None where the backend refuses it."""
    try:
        model = compiled(for_both(value) if backend == "gateway" else value, backend)
        return value, model, [served(one) for one in render([model])]
    except InputError:
        return None


@dataclass
class Tally:
    specs: int = 0
    requests: int = 0


def check(cluster, tally, backend):
    @settings(
        max_examples=SPECS,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],  # shrinking on a live mesh would take hours; the spec that failed is printed whole
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(backend))
    def one(case):
        cluster.apply(case.manifests)
        index = Index(Resources.parse(case.manifests))
        tally.specs += 1
        for host, method, path, headers in case.outside:
            request = Request(host, path, method, headers, gateway=ANY_GATEWAY)
            tally.requests += agree(index, request, partial(cluster.ask_gateway, host, path, headers, method))
        for name, (_, method, path, headers) in case.inside:
            host = f"{name}-svc.{NAMESPACE}.svc.cluster.local"
            request = Request(host, path, method, headers, source_namespace=NAMESPACE, port=9001)
            tally.requests += agree(index, request, partial(cluster.ask_mesh, name, path, headers, method))
        istioctl_is_content(case.manifests)

    one()


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # it would take the place of what has failed
@pytest.mark.parametrize("backend", ["istio", "gateway"])
def test_random_specs_meet_what_simulate_says(cluster, backend):
    tally = Tally()
    check(cluster, tally, backend)
    print(f"\nbackend {backend}: {tally.specs} random specs, {tally.requests} requests, no disagreement")
    assert tally.specs >= SPECS


def istioctl_is_content(manifests):
    """`istioctl analyze` on the rendered resources has nothing of level error to say, in the live cluster."""
    binary = istioctl()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(to_yaml(manifests))
        file.flush()
        command = [binary, "analyze", "-n", NAMESPACE, "--failure-threshold", "Error", file.name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
