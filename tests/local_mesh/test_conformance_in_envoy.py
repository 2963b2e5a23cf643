"""The manifests of Gateway API's conformance tests on a real Envoy: for generated requests it does what `simulate`
says."""

from functools import partial

import conformance
import pytest
from agreement import agree

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


@pytest.mark.parametrize("case", conformance.CASES)
def test_envoy_does_what_simulate_says_of_the_conformance_manifests(envoy, case):
    resources = Resources.parse([*conformance.base(case), *conformance.routes(case)])
    index = Index(resources)
    envoy.change(translate(resources, list(endpoints(resources, envoy))))
    asked = 0
    for one in conformance.generated(index, case, MOST):
        headers = [("host", one.host), *one.headers]
        agree(simulate(index, one), partial(envoy.ask, listener(one), one.path, headers, one.method), one)
        asked += 1
    assert asked > 2
