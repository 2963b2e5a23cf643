"""Manifests that a person got wrong: told with their place, or passed over, but never a traceback."""

import pytest

from meshconfig.errors import InputError
from meshconfig.istio import Resources
from meshconfig.lint import index, lint
from meshconfig.load import parse

VIRTUAL_SERVICE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cat, namespace: demo}
spec:
  hosts: [cat.demo.svc.cluster.local]
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: cat, namespace: demo}
spec: {ports: [{port: 80, name: http}]}
"""


ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cat, namespace: demo}
spec:
  parentRefs: [{kind: Service, group: "", name: cat}]
  rules:
"""


def filtering(kind, field, value):
    return f"{ROUTE}  - filters: [{{type: {kind}, {field}: {{{value}}}}}]\n"


MIRROR = "spec.rules[0].filters[0].requestMirror.fraction"
SET = "spec.rules[0].filters[0].requestHeaderModifier.set[0].value"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{VIRTUAL_SERVICE}  tcp:\n  - route: [mesh]\n", "cat.yaml:7: error GL702: spec.tcp[0].route[0]: "),
        (
            f"{VIRTUAL_SERVICE}  tls:\n  - match: [{{sniHosts: [cat.demo.svc.cluster.local]}}]\n"
            "    route: [{destination: {host: 5}}]\n",
            "cat.yaml:8: error GL702: spec.tls[0].route[0].destination.host: ",
        ),
        (
            f"{VIRTUAL_SERVICE}  http:\n  - route: [{{destination: {{host: cat}}}}]\n"
            "    mirrors:\n    - {destination: x}\n",
            "cat.yaml:9: error GL702: spec.http[0].mirrors[0].destination: ",
        ),
        (
            VIRTUAL_SERVICE.replace("{name: cat, namespace: demo}", "cat")
            + "  tcp: [{route: [{destination: {host: a}}]}]",
            "cat.yaml:3: error GL702: metadata: ",
        ),
        (
            SERVICE.replace("80", "http"),
            "cat.yaml:4: error GL702: spec.ports[0].port: takes a whole number, not 'http'",
        ),
        (
            SERVICE.replace("[{port: 80, name: http}]", "80"),
            "cat.yaml:4: error GL702: spec.ports: takes a list, not 80",
        ),
        (
            SERVICE.replace("{name: cat, namespace: demo}", "5"),
            "cat.yaml:3: error GL702: metadata: takes a mapping, not 5",
        ),
        (SERVICE.replace("port: 80, ", ""), "cat.yaml:4: error GL702: spec.ports[0].port: this field is missing"),
        (
            filtering("RequestMirror", "requestMirror", "fraction: {numerator: 1, denominator: 0}"),
            f"cat.yaml:7: error GL702: {MIRROR}.denominator: takes 1 or more, not 0",
        ),
        (
            filtering("RequestMirror", "requestMirror", "fraction: {numerator: null}"),
            f"cat.yaml:7: error GL702: {MIRROR}.numerator: this field is missing",
        ),
        (
            filtering("RequestHeaderModifier", "requestHeaderModifier", "set: [{name: a}]"),
            f"cat.yaml:7: error GL702: {SET}: this field is missing",
        ),
        (
            f"{ROUTE}  - retry: {{codes: 503}}\n",
            "cat.yaml:7: error GL702: spec.rules[0].retry.codes: takes a list, not 503",
        ),
        (
            f"{ROUTE}  - matches: [{{headers: [{{value: a}}]}}]\n",
            "cat.yaml:7: error GL702: spec.rules[0].matches[0].headers[0].name: this field is missing",
        ),
        (
            f"{ROUTE}  - matches: [{{queryParams: [{{name: null, value: a}}]}}]\n",
            "cat.yaml:7: error GL702: spec.rules[0].matches[0].queryParams[0].name: this field is missing",
        ),
    ],
)
def test_a_wrong_type_is_a_finding_and_the_other_resources_are_still_linted(text, place):
    bare = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: dog, namespace: demo}\n"
    text = f"{text}\n{bare}spec: {{host: dog.demo.svc.cluster.local, subsets: [{{name: v1}}]}}\n"
    found = [str(one) for one in lint(index(parse(text, "cat.yaml")))]
    assert len(found) == 2
    assert found[0].startswith(place)
    assert "GL302" in found[1]


def test_the_cli_exits_with_1_for_a_wrong_type_and_words_are_those_of_yaml(graylane, tmp_path):
    file = tmp_path / "cat.yaml"
    file.write_text(VIRTUAL_SERVICE.replace("[cat.demo.svc.cluster.local]", "cat"))
    code, printed, _ = graylane("lint", "-f", file)
    assert code == 1
    assert f"{file}:5: error GL702: spec.hosts: a list is wanted: hosts: [cat]" in printed
    assert "tuple" not in printed


def test_what_reads_a_resource_for_its_routes_says_a_wrong_type_in_the_words_of_yaml():
    document = parse(f"{VIRTUAL_SERVICE}  http: {{route: []}}\n", "cat.yaml")[0]
    with pytest.raises(InputError, match=r"^cat.yaml:6: spec.http: takes a list, not a mapping$"):
        Resources.parse([(document.value, document)])


def test_a_match_on_baggage_that_istio_refuses_is_no_traceback():
    route = "{destination: {host: cat.demo.svc.cluster.local}}"
    http = f"  http:\n  - match: [{{headers: {{baggage: {{exact: env=gray, suffix: y}}}}}}]\n    route: [{route}]\n"
    findings = lint(index(parse(VIRTUAL_SERVICE + http, "cat.yaml")))
    assert sorted(finding.code for finding in findings) == ["GL210", "GL701"]
