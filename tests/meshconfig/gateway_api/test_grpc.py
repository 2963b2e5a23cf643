"""`protocol: grpc`: GRPCRoutes between services, which decide as the VirtualService of the same spec does."""

import itertools

import pytest
from two_backends import BothBackends, mesh_request

from meshconfig.errors import InputError

SAY = {"path": {"exact": "/pets.Cat/Say"}}


def spec(**service):
    return {
        "apiVersion": "graylane/v1",
        "kind": "LaneGroup",
        "metadata": {"name": "pets", "namespace": "demo"},
        "spec": {
            "lanes": {"prod": {}, "gray": {}, "blue": {"mode": "strict"}},
            "services": {
                "cat": {
                    "host": "cat-svc",
                    "port": 9001,
                    "protocol": "grpc",
                    "selector": {"app": "cat"},
                    "versions": {name: {"labels": {"env": name}} for name in ("prod", "gray", "v2")},
                    **service,
                }
            },
        },
    }


def rules(*matches):
    return [{"match": match, "weights": {"v2": 1}} for match in matches]


def test_a_grpc_service_has_grpc_routes_and_ports():
    both = BothBackends(spec(rules=rules(SAY)))
    (route,) = (one for one in both.rendered["gateway"] if one["kind"] == "GRPCRoute")
    names = {
        one["metadata"]["name"]: one["spec"]["ports"] for one in both.rendered["gateway"] if one["kind"] == "Service"
    }
    assert names["cat-svc-gray"] == [{"name": "grpc", "port": 9001}]
    assert route["spec"]["rules"][1]["matches"] == [
        {"headers": [{"type": "Exact", "name": "env", "value": "gray"}]},
        {
            "method": {"type": "Exact", "service": "pets.Cat", "method": "Say"},
            "headers": [{"type": "Exact", "name": "env", "value": "gray"}],
        },
    ]


def test_calls_of_grpc_are_decided_alike():
    whole = {"path": {"prefix": "/pets.Dog/"}, "headers": {"user": "ann"}}
    both = BothBackends(spec(rules=rules(SAY, whole)))
    tags = [[], [("env", "gray")], [("env", "blue")], [("env", "none")]]
    paths = ("/pets.Cat/Say", "/pets.Cat/Stay", "/pets.Dog/Say", "/pets.Dogs/Say")
    for path, tag, user in itertools.product(paths, tags, ([], [("user", "ann")])):
        wrong = both.differs(mesh_request("cat-svc.demo.svc.cluster.local", "POST", path, [*tag, *user], 9001))
        assert wrong is None, wrong


@pytest.mark.parametrize(
    ("service", "field", "said"),
    [
        ({"rules": rules({"method": "GET"})}, "spec.services.cat.rules[0]", "a GRPCRoute asks for /SERVICE/METHOD"),
        ({"rules": rules({"path": {"prefix": "/pets"}})}, "spec.services.cat.rules[0]", "write protocol: http"),
        ({"policy": {"timeout": "1s"}}, "spec.services.cat.policy.timeout", "no GRPCRoute has timeout"),
    ],
)
def test_what_a_grpc_route_cannot_say(service, field, said):
    with pytest.raises(InputError) as caught:
        BothBackends(spec(**service))
    assert any(one.path == field and said in one.message for one in caught.value.problems), caught.value.problems
