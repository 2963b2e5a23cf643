"""GL112, GL113, GL218 to GL228, GL305: mistakes in names and routes that Istio takes without a word."""

import re

import pytest
from lint_manifests import TO_CAT, gateway, host, rule, server, service, to, virtual_service

from meshconfig.lint import Level


def test_gl112_a_short_host_is_completed_and_half_a_one_is_not(of):
    cats = service("cat")
    for name, found in (("cat", []), ("cat.demo", ["spec.hosts[0]"]), ("cat.demo.svc", ["spec.hosts[0]"])):
        assert [path for path, _ in of("GL112", cats + virtual_service("v", TO_CAT, name))] == found
    # A Service that a destination or a DestinationRule names in full is one, though it is not given.
    assert of("GL112", virtual_service("v", TO_CAT, "cat.demo")) == [("spec.hosts[0]", "warning")]
    named = rule("dog", "{name: a, labels: {a: b}}")
    assert of("GL112", named + virtual_service("v", TO_CAT, "dog.demo")) == [("spec.hosts[0]", "warning")]
    assert of("GL112", virtual_service("v", TO_CAT, "dog.demo")) == []


@pytest.mark.parametrize(
    "hosts", ["cat.demo, cat.demo.svc.cluster.local", "cat, cat.demo", "cat.demo.svc.cluster.local"]
)
def test_gl112_every_spelling_of_a_name_may_be_given_at_once(of, hosts):
    assert of("GL112", service("cat") + virtual_service("v", TO_CAT, hosts)) == []


@pytest.mark.parametrize(
    ("hosts", "gateways", "found"),
    [
        ("front", "", 1),
        ("front.demo.svc.cluster.local", "mesh, demo/gw", 1),
        ("front", "demo/gw", 0),  # between services it is no host
        ("front.other.svc.cluster.local", "", 0),  # no Service of that namespace is given
        ("www.example.com", "", 0),  # outside: on port 80 its routes apply
        ("'*.demo.svc.cluster.local'", "", 0),
    ],
)
def test_gl112_a_service_is_missed_where_others_of_its_namespace_are_given(of, hosts, gateways, found):
    given = service("cat") + service("dog") + virtual_service("v", TO_CAT, hosts, gateways)
    assert len(of("GL112", given)) == found
    assert of("GL112", virtual_service("v", TO_CAT, hosts, gateways)) == []


def test_gl112_leaves_a_host_to_gl102_that_is_a_destination_too(codes):
    text = service("dog") + virtual_service("v", TO_CAT)
    assert codes(text) == ["GL102"]


ROOT = "{match: [{%s}], delegate: {name: %s, namespace: demo}}"
CATS = f"{{match: [{{uri: {{prefix: /cats/a}}}}], route: [{to('cat')}]}}"


def delegate(name, http=CATS):
    return virtual_service(name, http, hosts="")


def root(name="cats", match="uri: {prefix: /cats}"):
    return virtual_service("root", ROOT % (match, name), "cat.example.com", "front/gw")


def test_gl113_a_delegate_is_missed_where_others_of_its_namespace_are_given(of):
    assert of("GL113", root()) == []
    assert of("GL113", root() + delegate("dogs")) == [("spec.http[0].delegate", "error")]
    assert of("GL113", root() + delegate("cats")) == []
    elsewhere = delegate("dogs").replace("namespace: demo", "namespace: other")
    assert of("GL113", root() + elsewhere) == []


def test_gl113_says_why_a_virtual_service_that_is_there_cannot_be_the_delegate(findings):
    (with_hosts,) = findings(root() + virtual_service("cats", TO_CAT))
    assert (with_hosts.code, "has hosts" in with_hosts.message) == ("GL113", True)
    hidden = delegate("cats").replace("spec:\n", "spec:\n  exportTo: [other]\n")
    (not_seen,) = findings(root() + hidden)
    assert (not_seen.code, "not exported to demo" in not_seen.message) == ("GL113", True)


@pytest.mark.parametrize(
    ("outer", "inner", "conflict"),
    [
        ("uri: {prefix: /cats}", "uri: {prefix: /cats/a}", False),
        ("uri: {prefix: /cats}", "uri: {exact: /cats/a}", False),
        ("uri: {prefix: /cats}", "headers: {env: {exact: gray}}", False),
        ("uri: {prefix: /cats}", "uri: {prefix: /dogs}", True),
        ("uri: {regex: '/cats/.*'}", "uri: {prefix: /cats/a}", True),
        ("uri: {regex: '/cats/.*'}", "headers: {env: {exact: gray}}", False),
        ("uri: {exact: /cats}", "uri: {prefix: /cats}", True),
        ("headers: {env: {exact: gray}}", "headers: {env: {exact: blue}}", True),
        ("method: {exact: GET}", "uri: {prefix: /a}, method: {exact: PUT}", True),
    ],
)
def test_gl218_a_delegate_matches_within_the_route_that_delegates(of, outer, inner, conflict):
    sub = f"{{match: [{{{inner}}}], route: [{to('cat')}]}}, {TO_CAT}"
    text = root(match=outer) + delegate("cats", sub)
    assert of("GL218", text) == [("spec.http[0]", "error")] * conflict


VERSIONS = "{name: prod, labels: {env: prod}}, {name: gray, labels: {env: gray}}"


def split(name, one=90, other=10):
    return f"{{route: [{to(name, 'prod', one)}, {to(name, 'gray', other)}]}}"


def test_gl219_versions_are_chosen_where_the_called_service_is_the_host(of):
    given = service("cat") + service("mouse") + rule("mouse", VERSIONS)
    wrong = virtual_service("mouse", split("mouse"))
    assert of("GL219", given + wrong) == [("spec.http[0].route[0].destination", "warning")]
    assert of("GL219", given + virtual_service("mouse", split("mouse"), host("mouse"))) == []
    # An own VirtualService, one for a gateway, one that shifts cat's requests to mouse's versions.
    assert of("GL219", given + wrong + virtual_service("m", split("mouse"), host("mouse"))) == []
    assert of("GL219", given + virtual_service("mouse", split("mouse"), "a.example.com", "demo/gw")) == []
    shifted = f"{{match: [{{uri: {{prefix: /m}}}}], route: [{to('mouse', 'gray')}]}}, {TO_CAT}"
    assert of("GL219", given + virtual_service("mouse", shifted)) == []
    assert of("GL219", wrong) == []  # neither Service is given
    one_version = f"{{route: [{to('mouse', 'prod')}]}}"
    assert of("GL219", given + virtual_service("mouse", one_version)) == []


def test_gl219_an_outside_host_may_lead_to_an_egress_gateway_s_versions(of):
    given = service("egress") + rule("egress", VERSIONS)
    assert of("GL219", given + virtual_service("v", split("egress"), "www.example.com")) == []


@pytest.mark.parametrize(
    ("weights", "places"),
    [
        ((10, None), [1]),
        ((None, 10), [0]),
        ((None, None), []),
        ((10, 0), []),
        ((1, 2), []),
        ((None,), []),
        ((0, None), []),
    ],
)
def test_gl220_a_destination_without_a_weight_gets_nothing_beside_one_with(of, weights, places):
    http = f"{{route: [{', '.join(to('cat', f's{number}', weight) for number, weight in enumerate(weights))}]}}"
    found = of("GL220", virtual_service("v", http))
    assert found == [(f"spec.http[0].route[{place}]", "warning") for place in places]


@pytest.mark.parametrize(
    ("match", "missed"),
    [
        ("regex: '^(.*?;)?(type=insider)(;.*)?$'", "a=b; type=insider"),
        ("regex: 'type=insider'", "a=b; type=insider"),
        ("regex: '.*type=insider'", "type=insider; a=b"),
        ("exact: type=insider", "a=b; type=insider"),
        ("prefix: type=insider", "a=b; type=insider"),
        ("regex: '.*type=insider.*'", None),
        (r"regex: '(.*;\s*)?type=insider(\s*;.*)?'", None),
        (r"regex: '^(.*?;)?\s*(my\.type=insider)(;.*)?$'", None),
        ("regex: '.*'", None),
        ("regex: '.*(canary|beta).*'", None),
        ("regex: '.*a=1;.*b=2.*'", None),  # two cookies in an order: what was meant is not known
        ("regex: '(a'", None),  # GL212
    ],
)
def test_gl221_a_cookie_is_found_beside_others(findings, routed, match, missed):
    found = [
        one.message for one in findings(routed(f"{{headers: {{Cookie: {{{match}}}}}}}", None)) if one.code == "GL221"
    ]
    assert found == ([f"this misses `cookie: {missed}`"] if missed else [])


@pytest.mark.parametrize(
    ("matches", "place"),
    [
        ("{headers: {env: {exact: gray}}}, {uri: {prefix: /a}}", 0),
        ("{uri: {exact: /a}}, {queryParams: {env: {exact: gray}}}", 1),
        ("{headers: {env: {exact: gray}}, uri: {prefix: /a}}", None),
        ("{headers: {env: {exact: gray}}}, {headers: {user: {exact: me}}}", None),
        ("{uri: {prefix: /a}}, {uri: {prefix: /b}}", None),
        ("{uri: {prefix: /a}, headers: {a: {}}}, {uri: {prefix: /b}, headers: {a: {}}}", None),
    ],
)
def test_gl222_a_header_beside_a_path_is_or(of, routed, matches, place):
    found = [(f"spec.http[0].match[{place}]", "info")] if place is not None else []
    assert of("GL222", routed(matches, None)) == found


HASHED = "{loadBalancer: {consistentHash: {httpCookie: {name: user, ttl: 0s}}}}"


@pytest.mark.parametrize(
    ("policy", "subset", "weights", "found"),
    [
        (HASHED, "", (90, 10), True),
        ("", HASHED, (90, 10), True),
        ("{loadBalancer: {simple: RANDOM}}", "", (90, 10), False),
        (HASHED, "{loadBalancer: {simple: RANDOM}}", (90, 10), True),  # that is gray's alone
        (HASHED, "", (100, 0), False),
    ],
)
def test_gl223_a_hash_does_not_choose_the_version(of, policy, subset, weights, found):
    gray = f"{{name: gray, labels: {{env: gray}}{f', trafficPolicy: {subset}' if subset else ''}}}"
    text = rule("cat", f"{{name: prod, labels: {{env: prod}}}}, {gray}", policy)
    assert of("GL223", text + virtual_service("v", split("cat", *weights))) == [("spec.http[0].route", "info")] * found


def at(path, name="cat"):
    return f"{{match: [{{uri: {{prefix: {path}}}}}], route: [{to(name)}]}}"


@pytest.mark.parametrize(
    ("wide", "narrow", "http", "found"),
    [
        ("'*'", "a.example.com", at("/a"), True),
        ("'*.example.com'", "a.example.com", at("/a"), True),
        ("'*'", "'*.example.com'", at("/a"), True),
        ("'*.example.org'", "a.example.com", at("/a"), False),
        ("'*'", "a.example.com", f"{at('/a')}, {TO_CAT}", False),  # everything else has a route there
        ("'*'", "a.example.com", at("/"), False),
        ("'*'", "a.example.com", at("/dog"), False),  # it takes the same
        ("'*'", "a.example.com", f"{at('/a')}, {at('/dogs')}", False),
    ],
)
def test_gl224_a_named_host_has_its_own_routes_alone(of, wide, narrow, http, found):
    text = gateway("gw", server("'*'")) + virtual_service("narrow", http, narrow, "gw")
    text += virtual_service("wide", at("/dogs", "dog"), wide, "gw")
    assert of("GL224", text) == [("spec.hosts[0]", "warning")] * found


def test_gl224_asks_the_simulation_what_becomes_of_such_a_request(of):
    narrow = virtual_service("narrow", at("/a"), "a.example.com", "gw, gw-2")
    wide = virtual_service("wide", at("/dogs", "dog"), "'*'", "gw")
    assert of("GL224", narrow + wide) == []  # no Gateway: nothing can be asked
    assert of("GL224", gateway("gw", server("'*.example.com'")) + narrow + wide) == [("spec.hosts[0]", "warning")]
    assert of("GL224", gateway("gw", server("a.example.com")) + narrow + wide) == []  # of `*` this host is left, too
    assert of("GL224", gateway("gw", server("b.example.com")) + narrow + wide) == []
    secured = server("'*'", 443, "HTTPS", "mode: SIMPLE, credentialName: c")
    assert of("GL224", gateway("gw", secured) + narrow + wide) == [("spec.hosts[0]", "warning")]
    again = virtual_service("again", at("/dogs", "dog"), "a.example.com", "gw-2")
    both = gateway("gw", server("'*'")) + gateway("gw-2", server("'*'"))
    assert of("GL224", both + narrow + wide + again) == []  # both Gateways are the same Pods: the routes merge


@pytest.mark.parametrize(
    ("match", "rewrite", "becomes"),
    [
        ("{uri: {prefix: /api}}", "/", "//items"),
        ("{uri: {prefix: /api}}", "/v1/", "/v1//items"),
        ("{uri: {prefix: /api/}}", "/v1", "/v1items"),
        ("{uri: {prefix: /api/}}", "/", None),
        ("{uri: {prefix: /api}}", "/v1", None),
        ("{uri: {exact: /api}}", "/", None),
        ("{uri: {prefix: /}}", "/v1/", None),
        ("{uri: {prefix: /api/}}, {uri: {prefix: /api}}", "/", None),
        ("{uri: {prefix: /api}}, {uri: {prefix: /api/}}", "/", "//items"),
        ("{headers: {a: {exact: b}}}", "/", None),
    ],
)
def test_gl225_a_rewrite_keeps_one_slash(findings, match, rewrite, becomes):
    http = f"{{match: [{match}], rewrite: {{uri: {rewrite}}}, route: [{to('cat')}]}}"
    found = [one.message for one in findings(virtual_service("v", http, "a.example.com", "a/b")) if one.code == "GL225"]
    assert [message.partition(" becomes ")[2] for message in found] == ([becomes] if becomes else [])


def test_gl225_names_the_path_of_a_spec_once(findings):
    spec = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}}
  services:
    cat: {host: cat, port: 80, versions: {prod: {labels: {env: prod}}, gray: {labels: {env: gray}}}}
  entries:
    - hosts: [a.example.com]
      tag: trusted
      routes:
        - {path: {prefix: /api}, service: cat, rewrite: /}
        - {path: {prefix: /b/}, service: cat, rewrite: /}
"""
    (finding,) = findings(spec)
    assert (finding.code, finding.path, finding.location.line) == ("GL225", "spec.entries[0].routes[0]", 12)


@pytest.mark.parametrize(
    ("bound", "asked", "wrong"),
    [
        ("", "demo/gw", True),
        ("demo/gw", "mesh", True),
        ("gw", "other/gw", True),
        ("gw", "demo/gw", False),
        ("demo/gw", "gw, mesh", False),
        ("", "mesh", False),
        ("gw, mesh", "mesh", False),
    ],
)
def test_gl226_a_match_is_for_a_gateway_of_its_virtual_service(of, bound, asked, wrong):
    http = f"{{match: [{{gateways: [{asked}]}}], route: [{to('cat')}]}}, {TO_CAT}"
    assert (
        of("GL226", virtual_service("v", http, "a.org", bound)) == [("spec.http[0].match[0].gateways", "error")] * wrong
    )
    assert of("GL226", virtual_service("v", http, "", bound)) == []  # a delegate


@pytest.mark.parametrize(
    ("match", "path"),
    [
        ("{uri: {prefix: '/api/*'}}", "uri.prefix"),
        ("{uri: {exact: '/*/items'}}", "uri.exact"),
        ("{authority: {exact: '*.example.com'}}", "authority.exact"),
        ("{uri: {regex: '/api/.*'}}", None),
        ("{headers: {accept: {exact: '*/*'}}}", None),
        ("{uri: {prefix: /api/}}", None),
    ],
)
def test_gl227_a_star_is_a_character(of, routed, match, path):
    found = [(f"spec.http[0].match[0].{path}", "warning")] if path else []
    assert of("GL227", routed(match, None)) == found


@pytest.mark.parametrize(
    ("regex", "only"),
    [
        ("^/api", "/api"),
        (r"^/api/v1\.0", "/api/v1.0"),
        ("^/api$", None),  # the whole value is what was meant
        ("^/api.*", None),
        ("/api", None),
        ("^/(a|b)", None),
        ("^/a|/b", None),
    ],
)
def test_gl228_an_expression_is_compared_with_the_whole_value(findings, routed, regex, only):
    for match in (f"{{uri: {{regex: '{regex}'}}}}", f"{{headers: {{a: {{regex: '{regex}'}}}}}}"):
        found = [one.message for one in findings(routed(match, None)) if one.code == "GL228"]
        assert found == ([f"this takes {only} alone, and not what starts with it"] if only else [])


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("labels: {env: prod}", "labels: {env: prod}", "warning"),
        ("labels: {a: b, env: prod}", "labels: {env: prod, a: b}", "warning"),
        ("labels: {env: prod}", "labels: {env: prod}, trafficPolicy: {loadBalancer: {simple: RANDOM}}", None),
        ("labels: {app: cat}", "labels: {app: cat, env: gray}", "info"),
        ("labels: {app: cat, env: prod}", "labels: {app: cat, env: gray}", None),
        ("labels: {env: prod}", "labels: {env: gray}", None),
        ("labels: {}", "labels: {}", None),  # GL302
    ],
)
def test_gl305_each_subset_has_pods_of_its_own(of, one, other, level):
    found = of("GL305", rule("cat", f"{{name: prod, {one}}}, {{name: gray, {other}}}"))
    assert found == ([("spec.subsets[1].labels", level)] if level else [])
    if level == "info":  # whichever comes first
        assert of("GL305", rule("cat", f"{{name: gray, {other}}}, {{name: prod, {one}}}")) == [
            ("spec.subsets[0].labels", "info")
        ]


@pytest.mark.parametrize(("name", "namespace", "found"), [("cat", "demo", 0), ("dog", "demo", 1), ("cat", "other", 1)])
def test_gl305_argo_gives_its_subsets_labels_when_they_run(of, name, namespace, found):
    routing = f"{{istio: {{destinationRule: {{name: {name}, stableSubsetName: prod}}}}}}"
    rollout = f"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {{name: r, namespace: {namespace}}}\n"
    rollout += f"spec: {{strategy: {{canary: {{trafficRouting: {routing}}}}}}}\n---\n"
    alike = rule("cat", "{name: prod, labels: {app: cat}}, {name: gray, labels: {app: cat}}")
    assert len(of("GL305", rollout + alike)) == found


@pytest.mark.parametrize(
    ("prod", "gray", "found"),
    [
        ("{version: v1}", "{version: v1}", True),
        ("{app: web}", "{app: web, version: v2}", True),
        ("{version: v1}", "{version: v2}", False),
    ],
)
def test_gl305_two_versions_of_a_spec_are_told_apart_by_labels(findings, prod, gray, found):
    spec = f"""\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: shop, namespace: demo}}
spec:
  lanes: {{prod: {{}}, gray: {{}}, blue: {{versions: {{web: gray}}}}}}
  services:
    web:
      host: web
      port: 80
      versions:
        prod: {{labels: {prod}}}
        gray: {{labels: {gray}}}
"""
    told = [one for one in findings(spec) if one.code == "GL305"]
    assert [one.level for one in told] == [Level.WARNING] * found
    assert all(re.fullmatch(r"spec.services.web.versions.(prod|gray).labels", one.path) for one in told)


ENTRY = """\
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %s, namespace: %s}
spec:
  hosts: [%s]
  exportTo: [%s]
  location: MESH_EXTERNAL
  resolution: DNS
  ports: [{number: 80, name: http, protocol: HTTP}]
"""


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (("two", "demo", "a.example.com", "'*'"), 1),
        (("two", "other", "b.example.com, a.example.com", "'*'"), 1),
        (("two", "other", "a.example.com", "."), 1),  # the first is everybody's, and so also the other's
        (("two", "demo", "'*.example.com'", "'*'"), 0),
        (("two", "demo", "b.example.com", "'*'"), 0),
    ],
)
def test_gl618_a_host_is_in_one_service_entry(of, second, found):
    text = ENTRY % ("one", "demo", "a.example.com", "'*'") + ENTRY % second
    assert len(of("GL618", text)) == found


def test_gl618_two_namespaces_may_each_have_their_own(of):
    text = ENTRY % ("one", "demo", "a.example.com", ".") + ENTRY % ("two", "other", "a.example.com", ".")
    assert of("GL618", text) == []
