"""What somebody changes by hand in the resources of a group with `backend: gateway`, and which watches tell of it."""

from dataclasses import replace
from urllib.parse import quote

import pytest
from controller_world import GATEWAY_GROUP, SETTINGS, changed, document, edited, world
from fake_api import RefusedError, deployment, service

from meshconfig.backend.kinds import OWN_GATEWAY
from meshconfig.cluster import watching
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.cluster.watching import Change
from meshconfig.controller import controller
from meshconfig.controller.owned import OwnedResources
from meshconfig.render import GROUP, MANAGED_BY

__all__ = ["world"]

ELSEWHERE = "other"
PAIR = "{v1: {labels: {v: v1}}, v2: {labels: {v: v2}}}"
SERVED_ELSEWHERE = f"""\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: pets, namespace: demo}}
spec:
  lanes:
    prod: {{versions: {{cat: v1}}}}
    gray: {{versions: {{cat: v2}}}}
  services:
    cat: {{host: cat-svc.{ELSEWHERE}, port: 9001, selector: {{app: cat}}, versions: {PAIR}}}
  entries:
    - hosts: [cat.example.com]
      gateway: {{use: demo/edge}}
      routes: [{{path: {{prefix: /}}, service: cat}}]
"""
SELECTOR = f"labelSelector={quote(f'{MANAGED_BY}=graylane', safe='')}"
_LISTENER = {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
_SERVER = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
EDGES = (
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "edge", "namespace": "demo"},
        "spec": {"gatewayClassName": "istio", "listeners": [_LISTENER]},
    },
    {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "edge", "namespace": "demo"},
        "spec": {"selector": {"istio": "ingressgateway"}, "servers": [_SERVER]},
    },
)
OF_GATEWAY = {"httproutes", "grpcroutes", "gateways", "referencegrants", "services"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(controller, "SETTLE", 0.05)


def watched(world, namespace="demo"):
    """The kinds that only the backend `gateway` writes, of which there is a watch in a namespace."""
    found = [url for method, url in world.api.seen if method == "WATCH" and f"/namespaces/{namespace}/" in url]
    kinds = {kind_of(url) for url in found if "networking.istio.io" not in url}
    assert all(SELECTOR in url for url in found if kind_of(url) in OF_GATEWAY)
    return kinds & OF_GATEWAY


def kind_of(url):
    return url.partition("?")[0].rpartition("/")[2]


def route(world):
    return world.api.get("httproutes", "cat-svc")


def test_what_somebody_edits_or_deletes_goes_back_and_the_event_names_who(world):
    with world.controller():
        world.apply(document(GATEWAY_GROUP))
        world.until_ready()
        world.until(lambda: watched(world) == OF_GATEWAY, "the watches")
        before = route(world)["spec"]
        world.api.put(edited(route(world), "rules"))
        world.until(lambda: route(world)["spec"] == before, "the spec's")
        world.until(lambda: world.events("Drift"))
        world.api.answer("DELETE", "/api/v1/namespaces/demo/services/cat-svc-v2", None)
        world.until(lambda: world.api.get("services", "cat-svc-v2"), "the Service")
    assert "HTTPRoute demo/cat-svc was changed by kubectl-edit" in world.events("Drift")[0]


@pytest.mark.slow
def test_drift_that_is_to_be_reported_is_reported_and_left(world):
    with world.controller():
        world.apply(changed(document(GATEWAY_GROUP), lambda spec: spec.update(drift="report")))
        world.until_ready()
        world.until(lambda: watched(world) == OF_GATEWAY, "the watches")
        by_hand = edited(route(world), "rules")
        world.api.put(by_hand)
        world.until(lambda: "Drifted" in world.conditions())
        assert "HTTPRoute demo/cat-svc was changed by kubectl-edit" in world.conditions()["Drifted"]["message"]
        assert world.conditions()["Ready"]["status"] == "True"
    assert route(world)["spec"] == by_hand["spec"]


def test_these_kinds_are_watched_from_the_first_group_that_has_them_and_where_it_is(world):
    with world.controller(namespaces=("demo", "shop")):
        world.apply(document())
        world.until_ready()
        assert not [url for method, url in world.api.seen if "gateway.networking.k8s.io" in url]
        assert not watched(world)
        world.apply(document(GATEWAY_GROUP.replace("cat", "mouse"), name="mice"))
        world.until_ready("mice")
        world.until(lambda: watched(world) == OF_GATEWAY, "the watches")
        assert not watched(world, "shop")


def refusing(api, refused, error):
    """Has the API server refuse requests; the kinds of those that it has refused."""
    seen = []

    def refuse(method, url):
        if refused(method, url):
            seen.append(kind_of(url))
            raise error

    api.before.append(refuse)
    return seen


def said_of(world, kind):
    return [line for line in world.said if line.startswith(f"watch of {kind}: ")]


@pytest.mark.slow
def test_an_account_without_the_right_is_told_once_what_to_apply_and_all_else_works(world, monkeypatch):
    monkeypatch.setattr(watching, "AGAIN", (0.02, 0.05))
    forbidden = RefusedError(403, "Forbidden", "graylane-controller cannot watch it in the namespace demo")
    refused = refusing(world.api, lambda method, url: method == "WATCH" and kind_of(url) in OF_GATEWAY, forbidden)
    with world.controller():
        world.apply(document(GATEWAY_GROUP))
        world.until_ready()
        world.until(lambda: all(refused.count(kind) > 3 for kind in OF_GATEWAY - {"gateways"}), "several tries")
        istio_drift_goes_back(world)
    for kind in ("HTTPRoute", "GRPCRoute", "ReferenceGrant", "Service"):
        (line,) = said_of(world, kind)
        assert "kubectl apply -f k8s/controller/gateway-api" in line


@pytest.mark.slow
def test_a_cluster_without_the_gateway_api_is_told_once_and_all_else_works(world, monkeypatch):
    monkeypatch.setattr(watching, "AGAIN", (0.02, 0.05))
    missing = RefusedError(404, "NotFound", "404 page not found")
    refused = refusing(world.api, lambda method, url: "/apis/gateway.networking.k8s.io/" in url, missing)
    with world.controller():
        world.apply(document(GATEWAY_GROUP))
        world.until(lambda: refused.count("httproutes") > 3, "several tries")
        world.until(lambda: world.conditions().get("Ready", {}).get("status") == "False", "a group that needs it")
        istio_drift_goes_back(world)
    (line,) = said_of(world, "HTTPRoute")
    assert "the CRDs of the Gateway API: docs/gateway-api.md" in line
    assert not any("Traceback" in one for one in world.said)


def istio_drift_goes_back(world):
    mice = document(GATEWAY_GROUP.replace("cat", "mouse").replace("gateway", "istio"), name="mice")
    world.apply(mice)
    world.until_ready("mice")
    before = world.api.get("virtualservices", "mouse-svc")["spec"]
    world.api.put(edited(world.api.get("virtualservices", "mouse-svc"), "http"))
    world.until(lambda: world.api.get("virtualservices", "mouse-svc")["spec"] == before, "the spec's")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "plural", "where"),
    [
        ("gateway", "referencegrants", f"/apis/gateway.networking.k8s.io/v1beta1/namespaces/{ELSEWHERE}"),
        pytest.param("istio", "destinationrules", f"/apis/networking.istio.io/v1/namespaces/{ELSEWHERE}"),
    ],
)
def test_what_a_group_has_in_another_namespace_of_the_controller_comes_back_too(world, backend, plural, where):
    world.api.put(service("cat-svc", namespace=ELSEWHERE), *EDGES)
    world.api.put(*(deployment(f"cat-{one}", {"v": one}, namespace=ELSEWHERE) for one in ("v1", "v2")))
    allowed = replace(SETTINGS, allowed=frozenset([ELSEWHERE]))
    with world.controller(("demo", ELSEWHERE), allowed):
        world.apply(changed(document(SERVED_ELSEWHERE), lambda spec: spec.update(backend=backend)))
        world.until_ready()
        world.until(lambda: backend == "istio" or watched(world, ELSEWHERE) == OF_GATEWAY, "the watches")
        (name,) = world.api.names(plural, ELSEWHERE)
        for _ in range(2):  # the first may be found by the look that follows the controller's own writes
            world.api.answer("DELETE", f"{where}/{plural}/{name}", None)
            world.until(lambda: world.api.get(plural, name, ELSEWHERE), f"the {plural}")


def resource(kind, api, spec, **more):
    labels = {MANAGED_BY: "graylane", GROUP: "pets"}
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": "edge", "namespace": "demo", "labels": labels},
        "spec": spec,
        **more,
    }


def test_the_gateways_of_both_apis_are_two_resources():
    owned = OwnedResources()
    istio = resource("Gateway", "networking.istio.io/v1", {"servers": []})
    api = resource("Gateway", "gateway.networking.k8s.io/v1", {"listeners": []})
    listed = {**{name: part for name, part in api.items() if name != "apiVersion"}, "kind": OWN_GATEWAY}
    assert owned.see(Change.THERE, istio) == {"pets"}
    assert owned.see(Change.THERE, api) == {"pets"}
    assert owned.see(Change.THERE, listed) == set(), "as a list has it"
    assert owned.see(Change.THERE, istio) == set()
    assert owned.see(Change.GONE, listed) == {"pets"}
    assert owned.see(Change.THERE, istio) == set()


def test_what_controllers_of_services_write_wakes_nobody():
    owned, spec = OwnedResources(), {"ports": [{"port": 9001}], "clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"]}
    made = resource("Service", "v1", spec)
    assert owned.see(Change.THERE, made) == {"pets"}
    address = resource("Service", "v1", spec, status={"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})
    address["metadata"] |= {
        "resourceVersion": "9",
        "annotations": {"example.com/endpoints": "now"},
        "finalizers": ["x"],
    }
    assert owned.see(Change.THERE, address) == set()


@pytest.mark.parametrize("spec", [None, [], "gateway", {"backend": 5, "services": {"cat": {"host": "cat.."}}}])
def test_an_object_that_no_schema_has_checked_ends_no_watch(spec):
    one = GroupObject({"kind": "LaneGroup", "metadata": {"name": "pets", "namespace": "demo"}, "spec": spec})
    assert (one.places, one.backend) == ({"demo"}, "5" if isinstance(spec, dict) else "")
