"""HTTPRoutes of the backend `gateway` on a real Envoy: it decides as `simulate` does, and as the spec says."""

from functools import partial

import pytest
from agreement import agree
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from random_specs import asked, specs
from two_backends import compiled, for_both

from meshconfig.errors import InputError
from meshconfig.istio import Resources
from meshconfig.local.config import Endpoint, mesh_listener
from meshconfig.local.envoy import translate
from meshconfig.local.surroundings import resources
from meshconfig.simulate import ANY_GATEWAY, Index, Request, simulate

pytestmark = [pytest.mark.envoy]


def listener(host):
    return f"gateway|80|gateway.networking.k8s.io/gateway-name={host.replace('.', '-')}"


def endpoints(model, envoy):
    """A process for each version, at the host of the Service that stands for it, and at its service's."""
    for service in model.services:
        name, _, rest = service.host.partition(".")
        for subset in service.subsets:
            port = envoy.port_of(f"{name}-{subset.name}.{rest}/")
            yield Endpoint(f"{name}-{subset.name}.{rest}", service.port, dict(subset.labels), "127.0.0.1", port)


def model_of(value):
    try:
        return compiled(for_both(value), "gateway"), resources([compiled(value, "gateway")])
    except InputError:
        return None


def ask(envoy, index, host, method, path, headers):
    request = Request(host, path, method, headers, gateway=ANY_GATEWAY)
    send = partial(envoy.ask, listener(host), path, [("host", host), *headers], method)
    agree(simulate(index, request), send, request)


@pytest.mark.slow
@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(data=st.data())
def test_random_specs_of_the_gateway_api_are_routed_as_simulated(envoy, data):
    value = data.draw(specs())
    for entry in value["spec"]["entries"]:
        entry.pop("laneHosts", None)
    found = model_of(value)
    assume(found)
    model, given_to_istio = found
    envoy.change(translate(given_to_istio, list(endpoints(model, envoy))))
    index = Index(given_to_istio)
    hosts = tuple(host for entry in model.entries for host in entry.hosts)
    for host, method, path, headers in data.draw(st.lists(asked(hosts), min_size=4, max_size=8)):
        if host in hosts:
            ask(envoy, index, host, method, path, headers)
    for service in model.services:
        _, method, path, headers = data.draw(asked(hosts))
        request = Request(service.host, path, method, headers, source_namespace=service.namespace, port=service.port)
        send = partial(envoy.ask, mesh_listener(service.host, service.port), path, headers, method)
        agree(simulate(index, request), send, request)


def test_handwritten_routes_are_ordered_rewritten_and_refused_on_a_real_envoy(envoy):
    host = "shop.example.com"

    def made(kind, name, spec, api="gateway.networking.k8s.io/v1"):
        return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "demo"}, "spec": spec}

    def to(name, *matches, **rule):
        return {"matches": list(matches), "backendRefs": [{"name": name, "port": 80}], **rule}

    def prefix(value):
        return {"path": {"type": "PathPrefix", "value": value}}

    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    rules = [
        to("cat", {"headers": [{"name": "env", "value": "gray"}]}),
        to("dog", prefix("/dogs"), filters=[rewrite]),
        to("cats", prefix("/missing")),
        {"matches": [prefix("/none")]},
    ]
    parent = {"parentRefs": [{"name": "shop-example-com"}], "hostnames": [host]}
    listeners = [{"name": "http", "hostname": host, "port": 80, "protocol": "HTTP"}]
    services = [made("Service", name, {"ports": [{"port": 80}]}, "v1") for name in ("cat", "dog")]
    given_to_istio = Resources.parse(
        [
            *services,
            made("Gateway", "shop-example-com", {"gatewayClassName": "istio", "listeners": listeners}),
            made("HTTPRoute", "r", {**parent, "rules": rules}),
        ]
    )
    names = [f"{name}.demo.svc.cluster.local" for name in ("cat", "dog")]
    ends = [Endpoint(one, 80, {}, "127.0.0.1", envoy.port_of(f"{one}/")) for one in names]
    envoy.change(translate(given_to_istio, ends))
    index = Index(given_to_istio)
    gray = [("env", "gray")]
    for path, headers in (
        ("/", gray),
        ("/", []),
        ("/dogs/rex?a=b", gray),
        ("/dogs", []),
        ("/dogsled", []),
        ("/missing", []),
        ("/none", gray),
    ):
        ask(envoy, index, host, "GET", path, headers)
