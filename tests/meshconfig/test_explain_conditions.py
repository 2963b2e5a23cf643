"""What istiod reports of a cluster's HTTPRoutes counts in `graylane explain --live`: a route that it does not accept
decides nothing, and the answer says why."""

import json

import pytest
import yaml
from fake_api import api_server
from istio_world import manifest, service

from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.render import render

API = "gateway.networking.k8s.io/v1"
CAT = {"group": "", "kind": "Service", "name": "cat"}
CONTROLLER = "istio.io/gateway-controller"


def condition(kind, status, reason="", message="", generation=2):
    return {
        "type": kind,
        "status": status,
        "reason": reason or kind,
        "message": message,
        "observedGeneration": generation,
    }


def judged(*conditions, controller=CONTROLLER):
    return {"parents": [{"parentRef": CAT, "controllerName": controller, "conditions": list(conditions)}]}


def route(backend, status=None, name="cat"):
    spec = {"parentRefs": [CAT], "rules": [{"backendRefs": [{"name": backend, "port": 9001}]}]}
    found = manifest("HTTPRoute", name, spec, "demo", API, generation=2)
    return {**found, **({"status": status} if status else {})}


ACCEPTED = condition("Accepted", "True")
REFUSED = condition("Accepted", "False", "NotAllowed", "two lines\nof text")
RESOLVED = condition("ResolvedRefs", "True")
UNRESOLVED = condition("ResolvedRefs", "False", "BackendNotFound", "backend(gone) not found")


@pytest.fixture
def explain(graylane, tmp_path, monkeypatch):
    with api_server() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        api.put(service(), service("mouse"))

        def run(*routes, output="text"):
            for one in routes:
                api.put({**one, "spec": {}}, one)  # generation 1, and 2
            asked = ("explain", "--live", "-n", "demo", "--from", "demo/", "--host", "cat:9001", "--output", output)
            return graylane(*asked)

        yield run


def test_a_route_that_istiod_accepts_decides_and_nothing_is_reported(explain):
    _, out, _ = explain(route("mouse", judged(ACCEPTED, RESOLVED)))
    assert "→ mouse.demo.svc.cluster.local" in out
    assert "reported" not in out
    assert "not used" not in out


def test_a_route_that_istiod_does_not_accept_decides_nothing(explain):
    _, out, _ = explain(route("mouse", judged(REFUSED, RESOLVED)))
    assert "→ cat.demo.svc.cluster.local" in out
    assert "not used: HTTPRoute demo/cat: istiod has not accepted it: NotAllowed, two lines of text" in out
    assert "reported" not in out


def test_it_is_named_also_where_another_route_takes_the_request(explain):
    other = route("mouse", judged(ACCEPTED, RESOLVED), "other")
    _, out, _ = explain(route("cat", judged(REFUSED)), other)
    assert "→ mouse.demo.svc.cluster.local" in out
    assert "not used: HTTPRoute demo/cat: istiod has not accepted it" in out


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (judged(ACCEPTED, UNRESOLVED), "ResolvedRefs is False: BackendNotFound, backend(gone) not found"),
        (None, "Accepted is Unknown: Pending, istiod has said nothing of it"),
        (
            judged(condition("Accepted", "False", generation=1)),
            "Accepted is Unknown: Pending, istiod has said nothing of generation 2, only of 1",
        ),
        (judged(REFUSED, controller="example.com/x"), "Accepted is Unknown: Pending, istiod has said nothing of it"),
    ],
)
def test_what_else_istiod_reports_changes_no_decision(explain, status, said):
    _, out, _ = explain(route("mouse", status))
    assert "→ mouse.demo.svc.cluster.local" in out
    assert f"reported: HTTPRoute demo/cat at Service demo/cat: {said}" in out


def test_the_json_has_the_conditions(explain):
    found = json.loads(explain(route("mouse", judged(REFUSED, UNRESOLVED)), output="json")[1])
    assert [(one["type"], one["status"], one["reason"]) for one in found["conditions"]] == [
        ("Accepted", "False", "NotAllowed"),
        ("ResolvedRefs", "False", "BackendNotFound"),
    ]
    assert found["conditions"][0]["route"] == "HTTPRoute demo/cat"
    assert [one["reason"] for one in found["near_misses"]] == ["not accepted"]


def test_the_status_in_a_file_is_of_the_past(graylane, tmp_path):
    (tmp_path / "routes.yaml").write_text(
        yaml.safe_dump_all([service(), service("mouse"), route("mouse", judged(REFUSED))])
    )
    _, out, _ = graylane("explain", "-f", tmp_path / "routes.yaml", "--from", "demo/", "--host", "cat.demo:9001")
    assert "→ mouse.demo.svc.cluster.local" in out
    assert "reported" not in out


INNER = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "inner"}


def gateway(came_from):
    allowed = {"namespaces": {"from": came_from}}
    one = {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": allowed}
    spec = {"gatewayClassName": "istio", "listeners": [one]}
    return manifest("Gateway", "inner", spec, "infra", API)


@pytest.fixture
def live(graylane, tmp_path, monkeypatch):
    """Runs `explain --live` with a file beside the cluster."""
    with api_server() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))

        def run(there, in_file, *asked):
            for one in there:
                api.put(one)
            file = tmp_path / "new.yaml"
            file.write_text(yaml.safe_dump_all(in_file))
            return graylane("explain", "--live", "-A", "-f", file, *asked)[1]

        yield run


def test_at_a_gateway_of_a_file_the_old_judgement_counts_no_more(live):
    parent = {**INNER, "namespace": "infra"}
    one = route("cat")
    one["spec"] = {**one["spec"], "parentRefs": [parent], "hostnames": ["cat.example.com"]}
    status = {"parents": [{"parentRef": parent, "controllerName": CONTROLLER, "conditions": [REFUSED]}]}
    one = {**one, "metadata": {**one["metadata"], "generation": 2}, "status": status}
    there = [service(), gateway("Same"), one]
    asked = ("--host", "cat.example.com", "--gateway", "infra/inner")
    assert "not used: HTTPRoute demo/cat" in live(there, [service("mouse")], *asked)
    out = live(there, [gateway("All")], *asked)
    assert "→ cat.demo.svc.cluster.local" in out
    assert "not used" not in out


def test_with_a_backend_of_a_file_what_was_not_resolved_is_not_reported(live):
    one = route("mouse", judged(ACCEPTED, UNRESOLVED))
    asked = ("--from", "demo/", "--host", "cat.demo:9001")
    assert "ResolvedRefs is False" in live([service(), one], [service("dog")], *asked)
    assert "reported" not in live([], [service("mouse")], *asked)


SPEC = """
apiVersion: graylane.dev/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  backend: gateway
  lanes: {prod: {}, gray: {}}
  services:
    cat: {host: cat, port: 9001, selector: {app: cat}, versions: {prod: {labels: {v: prod}}, gray: {labels: {v: gray}}}}
"""


def test_what_istiod_says_of_a_groups_own_routes_counts_while_they_are_as_the_spec_says(live):
    (group,) = groups(parse(SPEC, "pets.yaml"))
    made = render([group.model])
    there = [service()]
    for one in made:
        there.append({**one, "metadata": {**one["metadata"], "generation": 2}})
        if one["kind"] == "HTTPRoute":
            (parent,) = one["spec"]["parentRefs"]
            status = {"parentRef": parent, "controllerName": CONTROLLER, "conditions": [REFUSED]}
            there[-1]["status"] = {"parents": [status]}
    asked = ("--from", "demo/", "--host", "cat.demo:9001")
    assert "istiod has not accepted it: NotAllowed" in live(there, [yaml.safe_load(SPEC)], *asked)
    changed = yaml.safe_load(SPEC.replace("gray:", "blue:"))
    assert "istiod has not accepted" not in live([], [changed], *asked)
