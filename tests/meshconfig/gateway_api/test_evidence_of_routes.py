"""What a proxy's configuration shows of HTTPRoutes and of the Services of versions, as dumps of istiod have it."""

import copy
import json
from typing import Any

import pytest

from meshconfig.backend import backend
from meshconfig.backend.evidence import Evidence, Written
from meshconfig.cluster.objects import key

GATEWAY = backend("gateway")
HOST = "cat-svc.demo.svc.cluster.local"
PATH = f"/apis/networking.istio.io/v1/namespaces/demo/virtual-service/demo~9001~{HOST}"


def rule(name, version, *headers, path=None, setting=None, weights=()):
    refs = [{"name": f"cat-svc-{version}", "port": 9001}]
    if weights:
        refs = [{"name": f"cat-svc-{one}", "port": 9001, "weight": weight} for one, weight in weights]
    asked = [{"type": kind, "name": header, "value": value} for header, kind, value in headers]
    match = {"path": path or {"type": "PathPrefix", "value": "/"}, **({"headers": asked} if asked else {})}
    change = {"set": [{"name": "env", "value": setting}]}
    filters = [{"type": "RequestHeaderModifier", "requestHeaderModifier": change}] if setting else []
    return {"name": name, "matches": [match], "backendRefs": refs, **({"filters": filters} if filters else {})}


def route(*rules, name="cat-svc"):
    parent = {"group": "", "kind": "Service", "name": "cat-svc", "port": 9001}
    metadata = {"name": name, "namespace": "demo"}
    spec = {"parentRefs": [parent], "rules": list(rules)}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec}


def envoy(one):
    """One rule as Envoy gets it."""
    (match,) = one["matches"]
    path = match["path"]
    found: dict[str, Any] = {"caseSensitive": True}
    field = {"PathPrefix": "prefix", "Exact": "path"}.get(path["type"])
    found |= {field: path["value"]} if field else {"safeRegex": {"regex": path["value"]}}
    if "headers" in match:
        found["headers"] = [_header(header) for header in match["headers"]]
    clusters = [f"outbound|9001||{ref['name']}.demo.svc.cluster.local" for ref in one["backendRefs"]]
    weighted = [
        {"name": name, "weight": ref["weight"]}
        for name, ref in zip(clusters, one["backendRefs"], strict=True)
        if ref.get("weight")
    ]
    action = {"weightedClusters": {"clusters": weighted}} if weighted else {"cluster": clusters[0]}
    added = [
        {"header": {"key": pair["name"], "value": pair["value"]}, "appendAction": "OVERWRITE_IF_EXISTS_OR_ADD"}
        for each in one.get("filters", ())
        for pair in each["requestHeaderModifier"]["set"]
    ]
    return {
        "name": one["name"],
        "match": found,
        "route": action,
        "metadata": {"filterMetadata": {"istio": {"config": PATH}}},
        **({"requestHeadersToAdd": added} if added else {}),
    }


def _header(one):
    if one["value"] == ".*":
        return {"name": one["name"], "presentMatch": True}
    text = {"exact": one["value"]} if one["type"] == "Exact" else {"safeRegex": {"regex": one["value"]}}
    return {"name": one["name"], "stringMatch": text}


def dump(rules, services=()):
    clusters = [{"cluster": {"name": f"outbound|9001||{one}.demo.svc.cluster.local"}} for one in services]
    virtual_host = {"name": f"{HOST}:9001", "routes": [envoy(one) for one in rules]}
    config = {"routeConfig": {"virtualHosts": [virtual_host]}}
    return {"configs": [{"dynamicRouteConfigs": [config]}, {"dynamicActiveClusters": clusters}]}


def shown(there, written, *before):
    change = Written((written,), (), {key(one): one for one in before}, "env")
    return GATEWAY.evidence(there, change)


GRAY, DEFAULT = rule("gray", "gray", ("env", "Exact", "gray")), rule("default", "prod")
CHANGES = {
    "another version": rule("gray", "v3", ("env", "Exact", "gray")),
    "another match": rule("gray", "gray", ("env", "Exact", "grey")),
    "any value": rule("gray", "gray", ("env", "RegularExpression", ".*")),
    "a path": rule("gray", "gray", ("env", "Exact", "gray"), path={"type": "RegularExpression", "value": "/x.*"}),
    "weights": rule("gray", "gray", ("env", "Exact", "gray"), weights=(("gray", 1), ("v3", 3))),
    "another tag": rule("gray", "gray", ("env", "Exact", "gray"), setting="gray.next"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_proxy_shows_a_change_or_differs(what):
    old, new = route(GRAY, DEFAULT), route(CHANGES[what], DEFAULT)
    assert shown(dump([GRAY, DEFAULT]), new, old) is Evidence.DIFFERS
    assert shown(dump([CHANGES[what], DEFAULT]), new, old) is Evidence.SHOWS
    assert shown(dump([CHANGES[what], DEFAULT]), old, new) is Evidence.DIFFERS


def test_a_rule_that_has_gone_must_be_gone():
    old, new = route(GRAY, DEFAULT), route(DEFAULT)
    assert shown(dump([GRAY, DEFAULT]), new, old) is Evidence.DIFFERS
    assert shown(dump([DEFAULT]), new, old) is Evidence.SHOWS


def test_a_rule_that_another_route_of_the_host_has_may_stay():
    old, new, beside = route(GRAY, DEFAULT), route(DEFAULT), route(GRAY, name="cat-svc.2")
    assert shown(dump([GRAY, DEFAULT]), new, old, beside) is Evidence.SHOWS


def test_a_proxy_without_the_host_shows_nothing():
    assert shown({"configs": []}, route(GRAY, DEFAULT)) is Evidence.ABSENT


def test_a_host_that_ends_alike_is_another_one():
    other = copy.deepcopy(route(GRAY, DEFAULT))
    other["spec"]["parentRefs"][0]["name"] = "svc"
    assert shown(dump([GRAY, DEFAULT]), other) is Evidence.ABSENT


def test_a_version_shows_as_a_cluster():
    spec = {"ports": [{"name": "http", "port": 9001}], "selector": {"env": "gray"}}
    metadata = {"name": "cat-svc-gray", "namespace": "demo"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    assert shown(dump([], ["cat-svc-prod"]), service) is Evidence.ABSENT
    assert shown(dump([], ["cat-svc-prod", "cat-svc-gray"]), service) is Evidence.SHOWS
    assert str(GATEWAY.cluster(HOST, 9001, "gray")) == "outbound|9001||cat-svc-gray.demo.svc.cluster.local"


GRAY = rule("gray", "gray", ("env", "Exact", "gray"))


def gone(there, *deleted, left=()):
    """What a dump shows of deletions, and of what was there before them."""
    before = {key(one): one for one in (*deleted, *left)}
    return GATEWAY.evidence(there, Written((), tuple(map(key, deleted)), before, "env"))


def test_deleted_routes_are_seen_as_long_as_a_proxy_has_some_of_the_host():
    assert gone(dump([GRAY]), route(GRAY)) is Evidence.DIFFERS
    assert gone(dump([]), route(GRAY)) is Evidence.ABSENT


def test_a_part_of_a_hosts_routes_that_goes_leaves_the_others():
    assert gone(dump([GRAY]), route(GRAY, name="cat-svc.2"), left=[route(GRAY)]) is Evidence.ABSENT


def at_gateway(*rules, name, gateway, host="cat.example.com"):
    one = route(*rules, name=name)
    return {**one, "spec": {**one["spec"], "parentRefs": [{"name": gateway, "namespace": "edge"}], "hostnames": [host]}}


def test_what_another_route_has_of_the_host_is_not_waited_for():
    name = "edge~public~istio-autogenerated-k8s-gateway~http~cat.example.com"
    there = json.loads(json.dumps(dump([GRAY])).replace(PATH, f"{PATH.rpartition('/')[0]}/{name}"))
    old = at_gateway(GRAY, name="old", gateway="public")
    assert gone(there, old) is Evidence.DIFFERS
    assert gone(there, old, left=[at_gateway(GRAY, name="new", gateway="public")]) is Evidence.ABSENT
    assert gone(there, at_gateway(GRAY, name="old", gateway="internal")) is Evidence.ABSENT
    assert gone(there, at_gateway(GRAY, name="old", gateway="pub")) is Evidence.ABSENT


def test_a_deleted_virtual_service_is_seen_as_long_as_a_proxy_has_it():
    there = json.loads(json.dumps(dump([GRAY])).replace(PATH, PATH.rpartition("/")[0] + "/cat-svc"))
    metadata = {"name": "cat-svc", "namespace": "demo"}
    one = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": {}}
    assert gone(there, one) is Evidence.DIFFERS
    assert gone(dump([GRAY]), one) is Evidence.ABSENT


def entry(port=80):
    spec = {"hosts": ["api.example.com"], "ports": [{"number": port, "name": "http", "protocol": "HTTP"}]}
    metadata = {"name": "api.example.com", "namespace": "demo"}
    return {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize("name", ["gateway", "istio"])
def test_a_proxy_shows_a_host_outside_by_its_cluster(name):
    there = {"configs": [{"dynamicActiveClusters": [{"cluster": {"name": "outbound|80||api.example.com"}}]}]}
    seen = backend(name).evidence
    assert seen(there, Written((entry(),))) is Evidence.SHOWS
    assert seen(there, Written((entry(81),))) is Evidence.ABSENT
    assert seen({"configs": []}, Written((entry(),))) is Evidence.ABSENT


def test_a_route_of_a_host_outside_is_shown_by_the_routes_of_this_host():
    one = copy.deepcopy(route(GRAY, DEFAULT, name="api.example.com"))
    group = "networking.istio.io"
    one["spec"]["parentRefs"] = [{"group": group, "kind": "ServiceEntry", "name": "api.example.com", "port": 80}]
    there = json.loads(json.dumps(dump([GRAY, DEFAULT])).replace(HOST, "api.example.com"))
    assert shown(there, one) is Evidence.SHOWS
    assert shown(dump([GRAY, DEFAULT]), one) is Evidence.ABSENT
