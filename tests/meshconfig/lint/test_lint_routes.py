"""GL205 to GL217: what a VirtualService's routes say."""

import pytest

HOST = "cat.demo.svc.cluster.local"


def virtual_service(http, hosts=HOST, name="cat", spec=""):
    return (
        f"apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}, namespace: demo}}\n"
        f"spec:\n  hosts: [{hosts}]\n{spec}  http: {http}\n---\n"
    )


def to(subset, extra=""):
    return f"{{destination: {{host: {HOST}{f', subset: {subset}' if subset else ''}}}{extra}}}"


FRONT = "  gateways: [demo/front]\n"


def test_gl205_is_about_hosts_that_choose_among_subsets_themselves(codes):
    front = virtual_service(f"[{{route: [{to('')}]}}]", "a.example.com", "front", FRONT)
    assert codes(front) == []
    assert codes(front + virtual_service(f"[{{route: [{to('')}]}}]")) == []
    assert codes(front + virtual_service(f"[{{route: [{to('prod')}]}}]")) == ["GL205"]


@pytest.mark.parametrize(("weights", "zero"), [((0, 0), True), ((None, None), True), ((0, 1), False), ((0,), False)])
def test_gl206_one_weight_above_zero_is_enough_and_one_destination_needs_none(codes, weights, zero):
    given = ["" if weight is None else f", weight: {weight}" for weight in weights]
    http = f"[{{route: [{', '.join(to(f's{n}', text) for n, text in enumerate(given))}]}}]"
    assert ("GL206" in codes(virtual_service(http))) is zero


@pytest.mark.parametrize(("weight", "found"), [(0, ["GL207"]), (10, ["GL207"]), (100, [])])
def test_gl207_a_hundred_says_what_is_so(codes, weight, found):
    assert codes(virtual_service(f"[{{route: [{to('prod', f', weight: {weight}')}]}}]")) == found


def test_gl208_the_same_version_with_another_tag_is_another_destination(codes):
    tagged = [f", weight: 1, headers: {{request: {{set: {{env: {tag}}}}}}}" for tag in ("a", "b")]
    assert codes(virtual_service(f"[{{route: [{', '.join(to('prod', text) for text in tagged)}]}}]")) == []
    assert codes(virtual_service(f"[{{route: [{to('prod', tagged[0])}, {to('prod', tagged[0])}]}}]")) == ["GL208"]


def test_gl209_reads_matches_and_changes_and_leaves_claims_alone(findings):
    http = f"""
    - match:
        - headers: {{X-Env: {{exact: a}}, "@request.auth.claims.Group": {{exact: b}}}}
          withoutHeaders: {{x_old: {{}}}}
      headers: {{request: {{set: {{X-Tag: a}}, remove: [Old]}}}}
      route: [{to("prod", ", headers: {request: {add: {My_Tag: a}}}")}]
    - route: [{to("prod")}]"""
    found = [one.path for one in findings(virtual_service(http)) if one.code == "GL209"]
    assert [path.removeprefix("spec.http[0].") for path in sorted(found)] == [
        "headers.request.remove[0]",
        "headers.request.set.X-Tag",
        "match[0].headers.X-Env",
        "match[0].withoutHeaders.x_old",
        "route[0].headers.request.add.My_Tag",
    ]


@pytest.mark.parametrize(
    ("matches", "found"),
    [
        (("{headers: {env: {exact: gray}}}",), ["GL210"]),
        (("{headers: {env: {exact: gray}}}", None), []),
        (("{headers: {env: {exact: gray}}}", "{uri: {prefix: /}}"), []),
        (("{queryParams: {q: {exact: gray}}}",), ["GL210"]),
        # Paths of its own, and no others: what is not among them is meant to be 404.
        (("{uri: {prefix: /a}}", "{uri: {prefix: /b}}"), []),
        (("{uri: {prefix: /a}, headers: {env: {}}}", "{uri: {prefix: /a}}"), []),
        (("{uri: {prefix: /a}, headers: {env: {}}}", "{uri: {prefix: /b}}"), ["GL210"]),
        # Who sends the header, and who does not.
        (("{headers: {env: {exact: gray}}}", "{withoutHeaders: {env: {exact: gray}}}"), []),
        (("{method: {exact: GET}, headers: {env: {}}}", "{method: {exact: GET}}"), []),
    ],
)
def test_gl210_every_place_needs_a_way_without_the_header(codes, routed, matches, found):
    assert codes(routed(*matches)) == found


@pytest.mark.parametrize("name", ["claims.groups", "claims[groups]", "claims.a.b"])
def test_gl210_without_the_claim_404_is_what_was_meant(codes, routed, name):
    claim = f'"@request.auth.{name}": {{exact: admin}}'
    at_gateway = {"hosts": "a.example.com", "extra": FRONT}
    assert codes(routed(f"{{headers: {{{claim}}}}}", **at_gateway)) == []
    assert codes(routed(f"{{uri: {{prefix: /a}}, headers: {{{claim}, env: {{exact: gray}}}}}}", **at_gateway)) == []
    assert codes(routed(f"{{withoutHeaders: {{{claim}}}}}", **at_gateway)) == []
    assert codes(routed(f"{{headers: {{{claim}}}}}", "{headers: {env: {exact: gray}}}", **at_gateway)) == ["GL210"]


def test_gl210_says_that_another_path_s_route_may_take_the_request(findings, routed):
    env = "{headers: {env: {exact: gray}}}"
    (alone,) = findings(routed(env))
    assert alone.message.endswith("gets 404")
    (beside,) = findings(routed(env, "{uri: {prefix: /a}}"))
    assert beside.path == "spec.http[0]"
    assert beside.message.endswith("gets 404, except where the path of another route takes it")


def test_gl210_a_delegate_may_leave_the_default_to_its_root(codes, routed):
    assert codes(routed("{headers: {env: {exact: gray}}}", hosts="")) == []


SPEC = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes: {prod: {}%s}
  services:
    cat:
      host: cat
      port: 9001
      versions: {prod: {labels: {env: prod}}, gray: {labels: {env: gray}}}
      %s
"""


@pytest.mark.parametrize(
    ("untagged", "path"),
    [
        ("default: gray", "spec.services.cat.default"),
        ("weights: {gray: 1}", "spec.services.cat.weights"),
        ("weights: {gray: 100}", "spec.services.cat.weights"),
        ("weights: {gray: 99, prod: 1}", None),
        ("default: prod", None),
        ("", None),
    ],
)
def test_gl211_a_spec_s_untagged_requests_reach_the_baseline(findings, untagged, path):
    found = findings(SPEC % (", gray: {}", untagged))
    assert [(one.code, one.path) for one in found] == ([("GL211", path)] if path else [])


def test_gl211_is_no_matter_while_the_baseline_is_the_only_lane(codes):
    assert codes(SPEC % ("", "default: gray")) == []


def test_gl211_a_default_without_a_subset_is_fine_where_nobody_has_one(codes, routed):
    text = routed("{headers: {env: {exact: gray}}}", None)
    assert codes(text.replace(", subset: s1", "")) == ["GL211"]
    assert codes(text.replace(", subset: s1", "").replace(", subset: s0", "")) == []


def test_gl211_a_short_name_is_the_same_host(codes, routed):
    text = routed("{headers: {env: {exact: gray}}}", None)
    short = text.replace("host: cat.demo.svc.cluster.local, subset: s1", "host: cat")
    assert codes(short) == ["GL108", "GL211"]


@pytest.mark.parametrize(
    "field", ["uri", "method", "authority", "headers: {x", "withoutHeaders: {x", "queryParams: {x"]
)
def test_gl212_every_regex_is_tried(findings, routed, field):
    closing = "}" if "{" in field else ""
    for regex in ("(a", "a" * 1025):
        found = findings(routed(f"{{{field}: {{regex: '{regex}'}}{closing}}}", None))
        assert [one.code for one in found if one.code != "GL210"] == ["GL212"]
    assert not findings(routed(f"{{{field}: {{regex: '{'a' * 1024}'}}{closing}}}", None))


@pytest.mark.parametrize(
    ("match", "says"),
    [
        ("regex: '.*env=gray.*'", "takes `baggage: xenv=gray` as well"),
        (r"regex: '.*\benv=gray\b.*'", "takes `baggage: a=b,x-env=gray` as well"),
        (r"regex: '(.*,)?\s*env=gray(,.*)?'", "misses `baggage: a=b,env=gray;ttl=1,c=d`"),
        ("regex: 'env=gray'", "misses `baggage: a=b,env=gray`"),
        ("exact: env=gray", "misses `baggage: a=b,env=gray`"),
        ("prefix: env=gray", "misses `baggage: a=b,env=gray`"),
        (r"regex: '(.*,)?\s*env=gray\s*([;,].*)?'", None),
        (r"regex: '(.*,)?\s*env\s*=\s*gray\s*([;,].*)?'", None),
        (r"regex: '(.*,)?\s*my\.env=v1\.2\s*([;,].*)?'", None),
        ("regex: '.*'", None),
    ],
)
def test_gl213_a_member_of_baggage_is_matched_wherever_it_stands_and_no_other(findings, routed, match, says):
    found = [one.message for one in findings(routed(f"{{headers: {{baggage: {{{match}}}}}}}", None))]
    assert found == ([f"this {says}"] if says else [])


def test_gl214_is_about_set_not_about_remove(codes):
    for change, found in (("set: {Baggage: a=b}", ["GL209", "GL214"]), ("remove: [baggage]", [])):
        http = f"[{{route: [{to('prod', f', headers: {{request: {{{change}}}}}')}]}}]"
        assert codes(virtual_service(http)) == found


@pytest.mark.parametrize(
    ("given", "at_entry"),
    [
        ("{env: gray, baggage: env=gray}", []),
        ("{env: gray, baggage: env=blue}", ["GL214"]),
        ("{env: gray, baggage: 'env=gray,a=b'}", ["GL214"]),
        ("{baggage: env=gray}", ["GL214"]),
    ],
)
def test_gl214_excepts_an_entry_at_which_header_and_member_agree(findings, given, at_entry):
    http = f"[{{route: [{to('prod', f', headers: {{request: {{set: {given}}}}}')}]}}]"
    between = virtual_service(http)
    entry = between.replace("spec:\n", "spec:\n  gateways: [demo/front]\n", 1)
    assert "gateways" in entry
    assert [one.code for one in findings(between) if one.code == "GL214"] == ["GL214"]
    assert [one.code for one in findings(entry) if one.code == "GL214"] == at_entry


def test_gl215_a_match_for_a_gateway_has_no_labels_to_ask_for(codes, routed):
    assert codes(routed("{sourceNamespace: shop}")) == ["GL215"]
    both = "  gateways: [mesh, demo/front]\n"
    assert codes(routed("{sourceLabels: {app: a}, gateways: [mesh]}", extra=both)) == []
    assert codes(routed("{sourceLabels: {app: a}}", extra=FRONT, hosts="a.example.com")) == []


def test_gl215_labels_that_istio_gives_to_each_pod_are_everybody_s(codes, routed):
    clusters = [f"{{sourceLabels: {{topology.istio.io/cluster: {name}}}}}" for name in ("east", "west")]
    assert codes(routed(*clusters)) == []
    assert codes(routed(clusters[0].replace("{topology", "{app: a, topology"))) == ["GL215"]


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [("'.'", "shop", False), ("'.'", "'*'", True), ("a, b", "b", True), ("'~'", "'*'", False)],
)
def test_gl216_two_that_no_caller_sees_both_are_apart(codes, one, other, clash):
    text = "".join(
        virtual_service(f"[{{route: [{to('prod')}]}}]", name=name, spec=f"  exportTo: [{seen}]\n")
        for name, seen in (("cat", one), ("cat-2", other))
    )
    assert [code for code in codes(text) if code == "GL216"] == ["GL216"] * clash


def test_gl216_a_short_name_is_the_same_host(findings):
    text = virtual_service(f"[{{route: [{to('prod')}]}}]") + virtual_service(
        f"[{{route: [{to('prod')}]}}]", "cat", "two"
    )
    assert [one.path for one in findings(text) if one.code == "GL216"] == ["spec.hosts[0]"] * 2


@pytest.mark.parametrize(
    ("one", "other", "quarrel"),
    [
        ("{uri: {prefix: /a}}", "{uri: {prefix: /b}}", False),
        ("{uri: {prefix: /a}}", "{uri: {exact: /a/b}}", True),
        ("{uri: {exact: /a/b}}", "{uri: {prefix: /a}}", True),
        ("{uri: {prefix: /a}}", None, False),  # Istio moves a route for everything to the end
        (None, None, True),
    ],
)
def test_gl217_who_comes_first_must_not_matter(codes, routed, one, other, quarrel):
    text = "---\n".join(
        routed(match, extra=FRONT, hosts="a.example.com").replace("name: cat", f"name: {name}")
        for name, match in (("one", one), ("two", other))
    )
    assert codes(text) == ["GL217"] * quarrel
