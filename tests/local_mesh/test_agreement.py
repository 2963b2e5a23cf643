"""For random specs and requests, `simulate` and the real Envoy decide alike: who answers, and what reaches it."""

from functools import partial

import pytest
import yaml
from agreement import agree, keeps, seen
from fuzzing import LONG
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from random_specs import asked, outside_specs, specs

from meshconfig.compile import compile_group
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.local.config import Endpoint, mesh_listener
from meshconfig.local.envoy import translate
from meshconfig.local.surroundings import resources
from meshconfig.simulate import ANY_GATEWAY, Index, Request, simulate

pytestmark = [pytest.mark.envoy, pytest.mark.slow, pytest.mark.fuzz]

GATEWAY = "gateway|80|istio=ingressgateway"
EXAMPLES = 1000 if LONG else 40


def compiled(value):
    try:
        (group,) = groups(parse(yaml.safe_dump(value), "random.yaml"))
    except InputError:
        return None
    return compile_group(group.spec), group.spec.spec


def endpoints(model, spec, envoy):
    for service in model.services:
        for name, version in spec.services[service.name].versions.items():
            # Outside the mesh each version is a host, which is what `expected` knows of who answers.
            port = envoy.port_of(f"{version.host}/" if version.host else f"{service.name}/{name}")
            yield Endpoint(version.host or service.host, service.port, version.labels, "127.0.0.1", port)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # what fails is printed whole; to shrink it takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(data=st.data())
def test_fuzz_simulate_and_envoy_decide_alike(envoy, data):
    found = compiled(data.draw(st.one_of(specs(), outside_specs())))
    assume(found)
    model, spec = found
    given_to_istio = resources([model])
    envoy.change(translate(given_to_istio, list(endpoints(model, spec, envoy))))
    index = Index(given_to_istio)
    hosts = tuple(host for entry in spec.entries for host in entry.hosts)
    for host, method, path, headers in data.draw(st.lists(asked(hosts), min_size=4, max_size=8)):
        request = Request(host, path, method, headers, gateway=ANY_GATEWAY)
        send = partial(envoy.ask, GATEWAY, path, [("host", host), *headers], method)
        agree(simulate(index, request), send, request)
        reply = send()
        keeps(index, request, seen(reply), lambda answer: answer[:2], reply.set_cookie)
    for service, table in ((one, table) for one in model.services for table in one.mesh_tables):
        _, method, path, headers = data.draw(asked(hosts))
        request = Request(table.host, path, method, headers, source_namespace=service.namespace, port=service.port)
        send = partial(envoy.ask, mesh_listener(table.host, service.port), path, headers, method)
        agree(simulate(index, request), send, request)
