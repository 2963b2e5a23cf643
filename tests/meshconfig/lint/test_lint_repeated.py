"""A resource that is written several times is one."""

import pytest

ONE = """\
apiVersion: networking.istio.io/{version}
kind: {kind}
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{{host}, {extra}}}
"""
HOSTS = "hosts: [cat.demo.svc.cluster.local]"
ROUTES = "http: [{{route: [{{destination: {{host: cat.demo.svc.cluster.local}}}}]{}}}]"


def virtual_service(timeout="", *, name="cat", version="v1"):
    extra = ROUTES.format(f", timeout: {timeout}" if timeout else "")
    return ONE.format(version=version, kind="VirtualService", name=name, namespace="demo", host=HOSTS, extra=extra)


def gateway(port):
    servers = f"servers: [{{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: [a.example.com]}}]"
    selector = "selector: {istio: ingressgateway}"
    return ONE.format(version="v1", kind="Gateway", name="gw", namespace="demo", host=selector, extra=servers)


def rule(subset):
    return ONE.format(
        version="v1",
        kind="DestinationRule",
        name="cat",
        namespace="demo",
        host="host: cat.demo.svc.cluster.local",
        extra=f"subsets: [{{name: {subset}, labels: {{version: {subset}}}}}]",
    )


@pytest.mark.parametrize(
    "written",
    [
        [virtual_service(), virtual_service("2s")],
        [virtual_service(), virtual_service(), virtual_service("2s")],
        [virtual_service("1s"), virtual_service("2s", version="v1beta1")],
        [gateway(80), gateway(8080)],
        [rule("v1"), rule("v2")],
    ],
)
def test_gl110_a_resource_that_is_written_twice_is_said_once_and_is_in_no_conflict_with_itself(findings, written):
    text = "---\n".join(written)
    (finding,) = findings(text)
    assert (finding.code, finding.level) == ("GL110", "info")
    last = text.rstrip().count("\n")
    assert finding.location.line == 3
    assert f"is also at in.yaml:{last}, with another content" in finding.message


@pytest.mark.parametrize("text", [virtual_service(), gateway(80), rule("v1")])
def test_the_same_text_twice_is_no_finding(findings, text):
    assert findings(f"{text}---\n{text}") == findings(text) == []


def test_another_name_is_another_resource(codes):
    assert codes(f"{virtual_service()}---\n{virtual_service(name='dog')}") == ["GL216"]


def test_what_a_spec_renders_is_not_in_conflict_with_the_same_file(findings):
    from meshconfig.groups import groups
    from meshconfig.lint import index, lint
    from meshconfig.load import parse
    from meshconfig.render import render, to_yaml

    spec = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}}
  services:
    cat: {host: cat, port: 80, versions: {prod: {labels: {v: prod}}, gray: {labels: {v: gray}}}}
"""
    documents = parse(spec, "spec.yaml")
    rendered = parse(to_yaml(render([one.model for one in groups(documents)])), "rendered.yaml")
    assert lint(index([*documents, *rendered])) == lint(index(documents)) == []
