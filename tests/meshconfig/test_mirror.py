"""Copies for a version on trial: whose requests are copied, and that no copy carries a lane's tag."""

from fractions import Fraction

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_specs import asked, specs

from meshconfig.compile import compile_group
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.istio import Resources
from meshconfig.load import parse
from meshconfig.render import render
from meshconfig.simulate import ANY_GATEWAY, Destination, Index, Request, simulate

GROUP = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: zoo, namespace: demo}}
spec:
  tag: {{baggage: true}}
  lanes: {{prod: {{}}, gray: {{}}, blue: {{}}}}
  services:
    cat:
      host: cat-svc
      port: 9001
      versions: {{prod: {{labels: {{v: prod}}}}, gray: {{labels: {{v: gray}}}}, v2: {{labels: {{v: v2}}}}}}
      {more}
  entries:
    - hosts: [shop.example.com]
      {entry}
      routes: [{{service: cat}}]
"""
TENTH = "mirror: {version: v2, percent: 10}"


def group(more=TENTH, entry="tag: trusted"):
    return parse(GROUP.format(more=more, entry=entry), "f.yaml")


def index(documents):
    return Index(Resources.parse(render([one.model for one in groups(documents)])))


def copies(found, headers=(), *, path="/", inside=False):
    """What a request has copied: the version and the share."""
    where = {"source_namespace": "demo", "port": 9001} if inside else {"gateway": ANY_GATEWAY}
    request = Request("cat-svc.demo.svc.cluster.local" if inside else "shop.example.com", path, "GET", headers, **where)
    return [(mirror.subset, mirror.share) for mirror in simulate(found, request).mirrors]


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize(
    ("headers", "copied"),
    [
        ([], True),
        ([("env", "prod")], True),
        ([("env", "nobody")], True),
        ([("env", "gray")], False),
        ([("env", "blue")], False),  # the baseline's version answers it, and the tag goes on
        ([("baggage", "env=blue")], False),
    ],
)
def test_the_requests_of_no_lane_are_copied(headers, copied, inside):
    assert copies(index(group()), headers, inside=inside) == [("v2", Fraction(1, 10))] * copied


@pytest.mark.parametrize("inside", [True, False])
def test_so_are_those_of_a_rule_and_without_a_percentage_all_of_them(inside):
    found = index(group("mirror: {version: v2}\n      rules: [{match: {path: /x}, weights: {gray: 1}}]"))
    assert copies(found, path="/x", inside=inside) == [("v2", 1)]
    assert copies(found, [("env", "blue")], path="/x", inside=inside) == []


def test_a_version_that_answers_gets_no_copy():
    found = index(group(TENTH + "\n      rules: [{match: {path: /x}, weights: {v2: 1}}]\n      default: v2"))
    assert copies(found, path="/x") == copies(found) == copies(found, inside=True) == []


@pytest.mark.parametrize(
    ("entry", "copied"),
    [
        ("split: {prod: 100, gray: 0}", [("v2", Fraction(1, 10))]),
        ("split: {prod: 90, gray: 10}", []),  # Istio copies by the route: gray's would carry its tag
        ("tag: untrusted", [("v2", Fraction(1, 10))]),
        ("admit: [{lane: gray, match: {method: GET}}]", []),
        ("admit: [{lane: prod, match: {method: GET}}]", [("v2", Fraction(1, 10))]),
    ],
)
def test_at_an_entry_no_lane_s_requests_are_copied(entry, copied):
    assert copies(index(group(entry=entry))) == copied


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "mirror: {version: v3}",
            "spec.services.cat.mirror.version: there is no version of cat v3; there is gray, prod, v2",
        ),
        ("mirror: {version: v2, percent: 0}", "spec.services.cat.mirror.percent: "),
        ("mirror: {version: v2, percent: 101}", "spec.services.cat.mirror.percent: "),
        (TENTH + "\n      policy: {mirror: {host: dog}}", "spec.services.cat.mirror: policy.mirror is given too"),
        (
            TENTH + "\n      rules: [{match: {headers: {env: x}}, weights: {gray: 1}}]",
            "spec.services.cat.rules[0].match: asks for a tag",
        ),
    ],
)
def test_what_cannot_be_is_told_by_file_and_line(more, said):
    with pytest.raises(InputError) as error:
        groups(group(more))
    (line,) = str(error.value).splitlines()
    assert line.startswith("f.yaml:1")
    assert said in line


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_no_copy_of_any_spec_carries_the_tag_of_a_lane(data):
    value = data.draw(specs())
    assume(any("mirror" in one for one in value["spec"]["services"].values()))
    try:
        (found,) = groups(parse(yaml.safe_dump(value), "random.yaml"))
    except InputError:
        assume(False)
    routed = Index(Resources.parse(render([compile_group(found.spec)])))
    lanes = set(value["spec"]["lanes"]) - {"prod"}
    entries = [host for entry in value["spec"]["entries"] for host in entry["hosts"]]
    for host, method, path, headers in data.draw(st.lists(asked(tuple(entries)), min_size=4, max_size=8)):
        at_gateway = Request(host, path, method, headers, gateway=ANY_GATEWAY)
        inside = [
            Request(one.host, path, method, headers, source_namespace="demo", port=one.port)
            for one in found.model.services
        ]
        for request in (at_gateway, *inside):
            decision = simulate(routed, request)
            for share in decision.shares if decision.mirrors else ():
                assert isinstance(share.outcome, Destination)
                sent = {text for name, text in share.outcome.headers if name == "env"}
                assert len(sent) > 1 or not lanes & sent, request  # two values that differ are no tag to a service
