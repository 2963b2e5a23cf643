"""The rules of what the API server or Istio's webhook refuses, as findings of lint. The single checks have tests of
their own in tests/meshconfig/admission.
"""

from pathlib import Path

import pytest
import yaml

VIRTUAL_SERVICE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cat, namespace: demo}
spec:
  hosts: [cat.demo.svc.cluster.local]
  http:
"""
ROUTE = "    route: [{destination: {host: cat.demo.svc.cluster.local}}]\n"
SPEC = (Path(__file__).parents[3] / "examples" / "cat-mouse" / "graylane.yaml").read_text()


def said(findings, text):
    """Each finding as `code path: message`."""
    return [f"{one.code} {one.path}: {one.message}" for one in findings(text)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "  - match: [{header: {a: {exact: b}}}]\n",
            "spec.http[0].match[0].header: unknown field; did you mean headers?",
        ),
        (
            "  - match:\n    - uri:\n      exact: /a\n",
            "spec.http[0].match[0].exact: unknown field; it belongs to uri: indent it below that",
        ),
        ("  - subset: v1\n", "spec.http[0].subset: unknown field"),
        ("  - weight: 10\n", "spec.http[0].weight: unknown field here; it belongs to the items of route"),
        (
            "  - attempts: 3\n",
            "spec.http[0].attempts: unknown field here; it belongs to retries: retries: {attempts: …}",
        ),
        (
            "  - mirror: {host: dog, timeout: 1s}\n",
            "spec.http[0].mirror.timeout: unknown field here; it belongs to http, further out: indent it less",
        ),
    ],
)
def test_gl701_a_misspelt_or_misplaced_field_is_told_with_the_right_one(findings, text, message):
    found = said(findings, f"{VIRTUAL_SERVICE}{text}{ROUTE}  - match: [{{port: 80}}]\n{ROUTE}")
    assert f"GL701 {message}" in found


def test_gl701_a_field_that_is_wrong_beside_a_missing_one_is_told_once(findings):
    text = f"{VIRTUAL_SERVICE}  - rout: [{{destination: {{host: cat.demo.svc.cluster.local}}}}]\n"
    assert said(findings, text) == ["GL701 spec.http[0].rout: unknown field; did you mean route?"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("headers: {a: b}", "headers.a: say how: a: {exact: b}"),
        ("headers: {a: 5}", 'headers.a: say how: a: {exact: "5"}'),
        ("uri: [{prefix: /}]", "uri: a mapping is wanted, not a list: uri: {prefix: /}"),
        ("uri: [/]", "uri: a mapping is wanted, not a list"),
        ("port: '80'", "port: a number is wanted, not a string: remove the quotes: port: 80"),
        ("port: http", "port: a number is wanted, not 'http'"),
        ("port: 80.5", "port: a whole number is wanted, not 80.5"),
        (
            "ignoreUriCase: 'true'",
            "ignoreUriCase: true or false is wanted, not a string: remove the quotes: ignoreUriCase: true",
        ),
        ("ignoreUriCase: 1", "ignoreUriCase: true or false is wanted, not 1"),
        ("name: 5", 'name: a string is wanted; quote it: name: "5"'),
        ("name: true", 'name: a string is wanted; quote it: name: "true"'),
        ("name: [a]", "name: one string is wanted, not a list: name: a"),
        ("name: {a: b}", "name: one string is wanted, not a mapping"),
        ("gateways: mesh", "gateways: a list is wanted: gateways: [mesh]"),
        ("gateways: [null]", "gateways[0]: a string is wanted, not nothing: delete the dash"),
        ("sourceLabels: {version: 1}", 'sourceLabels.version: a string is wanted; quote it: version: "1"'),
    ],
)
def test_gl702_a_wrong_type_is_told_with_what_to_write(findings, text, message):
    found = said(findings, f"{VIRTUAL_SERVICE}  - match: [{{{text}}}]\n{ROUTE}")
    assert f"GL702 spec.http[0].match[0].{message}" in found


def test_gl702_what_is_too_long_for_an_example_gets_a_remedy(findings):
    match = ", ".join(f"x-header-{number}: {{exact: some-value}}" for number in range(4))
    found = said(findings, f"{VIRTUAL_SERVICE}  - match: {{headers: {{{match}}}}}\n{ROUTE}")
    assert "GL702 spec.http[0].match: a list is wanted: put a dash before each item" in found


def test_gl702_what_a_wrong_type_hides_is_no_second_mistake(findings):
    text = VIRTUAL_SERVICE.replace("[cat.demo.svc.cluster.local]", "cat.demo.svc.cluster.local")
    weights = "[{destination: {host: a.b.c}, weight: '1'}, {destination: {host: d.e.f}, weight: '2'}]"
    found = said(findings, f"{text}  - route: {weights}\n")
    assert [one.split(":")[0] for one in found] == [
        "GL702 spec.hosts",
        "GL702 spec.http[0].route[0].weight",
        "GL702 spec.http[0].route[1].weight",
    ]


def test_gl703_a_dash_too_many_before_route_is_told_at_the_match(findings):
    found = findings(f"{VIRTUAL_SERVICE}  - match: [{{port: 80}}]\n  -{ROUTE[3:]}")
    assert [(one.code, one.location.line) for one in found] == [("GL703", 7)]


@pytest.mark.parametrize(("age", "right"), [("5m", True), ("0s", False), ("5", False), ("5 m", False)])
def test_gl704_a_duration_is_checked(codes, age, right):
    assert ("GL704" in codes(f"{VIRTUAL_SERVICE}  - timeout: '{age}'\n{ROUTE}")) is not right


def test_gl704_an_unknown_version_of_the_api_is_told(findings):
    text = f"{VIRTUAL_SERVICE}  -{ROUTE[3:]}".replace("istio.io/v1", "istio.io/v1beta2")
    assert said(findings, text) == [
        "GL704 apiVersion: VirtualService has the versions v1, v1alpha3 and v1beta1, not 'v1beta2'"
    ]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("VirtualServices", "Istio has no kind 'VirtualServices'; did you mean VirtualService?"),
        ("destinationrule", "Istio has no kind 'destinationrule'; did you mean DestinationRule?"),
        ("Route", "Istio has no kind 'Route'"),
        ("EnvoyFilter", None),
    ],
)
def test_gl704_a_kind_that_istio_does_not_have_is_told(findings, kind, says):
    text = f"apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{anything: 1}}\n"
    assert said(findings, text) == ([f"GL704 kind: {says}"] if says else [])


def test_gl705_what_a_spec_asks_of_istio_is_told_at_the_spec_s_field(findings):
    spec = yaml.safe_load(SPEC)
    name = next(iter(spec["spec"]["services"]))
    spec["spec"]["services"][name]["policy"] = {"retries": {"attempts": 0, "perTryTimeout": "1s"}}
    found = {
        (one.code, one.path, one.resource.split()[0]) for one in findings(yaml.safe_dump(spec)) if one.code == "GL705"
    }
    assert found == {("GL705", f"spec.services.{name}.policy.retries.attempts", "LaneGroup")}


def test_gl704_a_number_too_large_for_istio_is_told_at_the_spec_s_field(findings):
    spec = yaml.safe_load(SPEC)
    name, service = next(iter(spec["spec"]["services"].items()))
    service["trafficPolicy"] = {"connectionPool": {"http": {"http1MaxPendingRequests": 2**31}}}
    path = f"spec.services.{name}.trafficPolicy.connectionPool.http.http1MaxPendingRequests"
    assert said(findings, yaml.safe_dump(spec)) == [f"GL704 {path}: takes a number of 32 bits, not {2**31}"]


def test_gl704_an_entry_s_shares_times_a_service_s_weights_may_be_too_large(findings):
    spec = yaml.safe_load(SPEC)
    entry = spec["spec"]["entries"][0]
    entry["split"] = {"prod": 2**31 - 1, "gray": 1}
    service = spec["spec"]["services"][entry["routes"][0]["service"]]
    service["versions"] = {"one": {"labels": {"env": "one"}}, "two": {"labels": {"env": "two"}}}
    service["weights"] = {"one": 1, "two": 2}
    found = {one.split(":")[0] for one in said(findings, yaml.safe_dump(spec)) if "a number of 32 bits" in one}
    assert found == {"GL704 spec.entries[0].routes[0]"}


def test_gl706_a_wildcard_over_another_host_is_told_at_the_host(findings):
    text = f"{VIRTUAL_SERVICE}  -{ROUTE[3:]}".replace("[cat.demo", "[a.example.com, '*.example.com', cat.demo")
    assert [(one.code, one.path) for one in findings(text)] == [("GL706", "spec.hosts[0]")]


def test_a_kind_of_another_group_is_not_judged(findings):
    text = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: A.b}\nspec: {listeners: []}\n"
    assert findings(text) == []
