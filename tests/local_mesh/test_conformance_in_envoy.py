"""The manifests of Gateway API's conformance tests on a real Envoy: for generated requests it does what `simulate`
says."""

import random
from functools import partial

import conformance
import pytest
from agreement import agree

from meshconfig.importing.requests import requests
from meshconfig.istio import Resources
from meshconfig.local.config import Endpoint, mesh_listener
from meshconfig.local.envoy import translate
from meshconfig.simulate import Index, simulate

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

MOST = 40  # requests to one host


def endpoints(resources, envoy):
    """A process at each port of each Service."""
    for one in resources.services:
        host = f"{one.name}.{one.namespace}.svc.cluster.local"
        for port in one.spec.ports:
            yield Endpoint(host, port.port, one.spec.selector, "127.0.0.1", envoy.port_of(f"{host}/"))


def listener(request):
    """Where a request is sent to: the port of its Gateway, or of the Service that it calls."""
    if request.gateway:
        return f"gateway|{request.port}|gateway.networking.k8s.io/gateway-name={request.gateway.partition('/')[2]}"
    return mesh_listener(request.host, request.port)


def generated(index, parents):
    """Requests that meet and miss every condition, of each host so many."""
    by_host = {}
    for one in requests((index,), "version", ()):
        # The ports for TLS and TCP have no routes of HTTP to a sidecar; the local mesh has no such ports.
        in_mesh = one.host in parents and index.registry.get(one.host).is_http(one.port)
        if one.gateway == conformance.GATEWAY or (one.gateway is None and in_mesh):
            by_host.setdefault((one.host, one.port), []).append(one)
    draw = random.Random(1)
    for found in by_host.values():
        yield from found if len(found) <= MOST else draw.sample(found, MOST)


@pytest.mark.parametrize("case", conformance.CASES)
def test_envoy_does_what_simulate_says_of_the_conformance_manifests(envoy, case):
    resources = Resources.parse([*conformance.base(case), *conformance.routes(case)])
    index = Index(resources)
    envoy.change(translate(resources, list(endpoints(resources, envoy))))
    parents = {
        f"{ref['name']}.{conformance.MESH}.svc.cluster.local"
        for one in conformance.routes(case)
        for ref in one["spec"]["parentRefs"]
    }
    asked = 0
    for one in generated(index, parents):
        headers = [("host", one.host), *one.headers]
        agree(simulate(index, one), partial(envoy.ask, listener(one), one.path, headers, one.method), one)
        asked += 1
    assert asked > 2
