"""GL201 to GL204: which routes no request reaches; held against the simulator, request by request."""

import random

import pytest
from fuzzing import fuzz

from meshconfig.istio import Resources, StringMatch
from meshconfig.istio.gateways import gateway_name
from meshconfig.istio.strings import matches
from meshconfig.lint.shadowing import match_index
from meshconfig.lint.shadowing.condition import covers
from meshconfig.lint.shadowing.text import texts, within
from meshconfig.lint.shadowing.unreachable import MatchPosition, Reason, conditions, unreachable
from meshconfig.load import parse
from meshconfig.simulate import Index, Request, simulate

HOST = "cat.demo.svc.cluster.local"
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "cat", "namespace": "demo"},
    "spec": {"selector": {"app": "cat"}, "ports": [{"port": 80, "name": "http"}, {"port": 81, "name": "http-b"}]},
}
GATEWAYS = [
    {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": "demo"},
        "spec": {
            "selector": {"istio": name},
            "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
        },
    }
    for name in ("front", "back")
]
VALUES = ("gray", "gray-eu", "blue", "", "gr")
REGEXES = (".*", "gray.*", "gray|blue", ".+", "g.*y", "gray-?.*", "[a-z]*")
TEXTS = [{"exact": text} for text in VALUES] + [{"prefix": text} for text in ("g", "gray", "b")]
TEXTS += [{"regex": text} for text in REGEXES] + [{}, {}, {"regex": "*"}]
PATHS = ("/", "/a", "/a/b", "/A/b", "/ab")
URIS = [{kind: path} for kind in ("exact", "prefix") for path in PATHS]
URIS += [{"regex": text} for text in (".*", "/.*", "/a/?.*", "/(a|ab)")]
LABELS = [{}, {"app": "dog"}, {"env": "gray"}, {"app": "dog", "env": "gray"}, {"app": "cat", "env": "gray"}]
GATEWAY_NAMES = (["mesh"], ["demo/front"], ["back"], ["mesh", "demo/front"], ["front", "back"])
FIELDS = {
    "uri": lambda rng: rng.choice(URIS),
    "ignoreUriCase": lambda rng: rng.random() < 0.5,
    "method": lambda rng: rng.choice([{"exact": "GET"}, {"prefix": "P"}, {"regex": "GET|POST"}]),
    "authority": lambda rng: rng.choice([{"exact": HOST}, {"prefix": "cat"}, {"regex": ".*local"}]),
    "headers": lambda rng: {
        name: rng.choice(TEXTS) for name in rng.choice([["env"], ["Env"], ["env", "Env"], ["env", "x"]])
    },
    "withoutHeaders": lambda rng: {rng.choice(["env", "Env"]): rng.choice(TEXTS)},
    "queryParams": lambda rng: {rng.choice("qr"): rng.choice(TEXTS[:-1])},
    "port": lambda rng: rng.choice([80, 81]),
    "gateways": lambda rng: rng.choice(GATEWAY_NAMES),
    "sourceLabels": lambda rng: rng.choice(LABELS),
    "sourceNamespace": lambda rng: rng.choice(["demo", "shop"]),
}


def virtual_service(rng):
    """Routes whose matches ask for one to three fields: few, so that they have to do with each other."""
    names = sorted(rng.sample(sorted(FIELDS), rng.choice([1, 2, 2, 3])))
    if rng.random() < 0.1:
        names = ["gateways", "sourceLabels", "sourceNamespace"]  # one of them switches the others off

    def match():
        return {name: FIELDS[name](rng) for name in names if rng.random() < 0.75}

    to = [{"destination": {"host": HOST, "port": {"number": 80}}}]
    routes = [
        {"match": [match() for _ in range(rng.choice([1, 1, 2]))], "route": to} for _ in range(rng.choice([2, 2, 3]))
    ]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "cat", "namespace": "demo"},
        "spec": {"hosts": [HOST], "gateways": rng.choice([["mesh"], *GATEWAY_NAMES]), "http": routes},
    }


def fulfilling(rng, text, values, wanted=True):
    """A value that a StringMatch takes (or not), if there is one."""
    found = [value for value in values if matches(StringMatch.model_validate(text), value) is wanted]
    return rng.choice(found) if found else None


def request_for(rng, match, gateways):
    """A request that this match takes, as far as one was found, and at times something else with it."""
    headers = [("env", rng.choice(VALUES))] if rng.random() < 0.3 and "withoutHeaders" not in match else []
    headers += [(name, fulfilling(rng, text, VALUES)) for name, text in match.get("headers", {}).items()]
    for name, text in match.get("withoutHeaders", {}).items():
        headers += [(name, fulfilling(rng, text, VALUES, wanted=False))] * rng.choice([0, 1])
    path = fulfilling(rng, match.get("uri", {}), (*PATHS, "/c", "/a/b/c")) or "/"
    path = path.swapcase() if match.get("ignoreUriCase") and rng.random() < 0.5 else path
    query = [f"{name}={fulfilling(rng, text, VALUES)}" for name, text in match.get("queryParams", {}).items()]
    gateway = gateway_name(rng.choice(match.get("gateways") or gateways), "demo")
    return Request(
        host=HOST,
        path=path + ("?" + "&".join(query) if query else ""),
        method=fulfilling(rng, match.get("method", {}), ("GET", "POST", "PUT")),
        headers=[(name, value) for name, value in headers if value is not None],
        gateway=None if gateway == "mesh" else gateway,
        source_namespace=match.get("sourceNamespace") or rng.choice(["demo", "shop"]),
        source_labels=rng.choice(LABELS) | ({} if match.get("gateways") else match.get("sourceLabels", {})),
        port=match.get("port") or rng.choice([80, 81]),
    )


def answered(rng):
    """How many of a few requests, each made for a match that is reported as swallowed, are answered by any route."""
    manifest = virtual_service(rng)
    resources = Resources.parse([manifest, SERVICE, *GATEWAYS])
    found = unreachable(resources.virtual_services[0])
    never = [one.at for route in found.routes for one in route.matches] + [one.at for one in found.matches]
    index, count = Index(resources) if never else None, 0
    for place in never:
        match = manifest["spec"]["http"][place.route]["match"][place.match]
        for _ in range(4):
            request = request_for(rng, match, manifest["spec"]["gateways"])
            reached = simulate(index, request).route
            count += reached is not None
            assert reached is None or MatchPosition(reached.index, reached.match_index) not in never, (
                manifest,
                request,
            )
    return count


@pytest.mark.slow
@fuzz
def test_fuzz_no_request_reaches_what_is_reported_as_swallowed(rng):
    answered(rng)


def test_the_requests_made_for_it_are_answered_by_other_routes():
    assert sum(answered(random.Random(seed)) for seed in range(1000)) > 600


def swallowed(codes, routed, earlier, later, **options):
    """Does the second of these matches lose all of its requests to the first?"""
    found = codes(routed(earlier, later, None, **options))
    return bool({"GL201", "GL202", "GL203"} & set(found))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("{headers: {env: {regex: gray.*}}}", "{headers: {env: {exact: gray}}}"),
        ("{headers: {env: {prefix: gr}}}", "{headers: {env: {exact: gray}}}"),
        ("{headers: {env: {}}}", "{headers: {env: {exact: gray}}}"),
        ('{headers: {env: {regex: ".*"}}}', "{headers: {env: {prefix: gray}}}"),
        ("{headers: {Env: {exact: gray}}}", "{headers: {env: {exact: gray}, x: {exact: y}}}"),
        ("{uri: {prefix: /a}}", "{uri: {exact: /a/b}}"),
        ("{uri: {prefix: /a}, ignoreUriCase: true}", "{uri: {prefix: /A/b}}"),
        ("{method: {exact: GET}}", "{method: {exact: GET}, uri: {prefix: /a}}"),
        ("{method: {regex: GET|POST}}", "{method: {exact: POST}}"),
        ("{authority: {prefix: cat}}", "{authority: {exact: cat.example.com}}"),
        ("{queryParams: {q: {}}}", "{queryParams: {q: {exact: a}}}"),
        ("{withoutHeaders: {env: {exact: gray}}}", "{withoutHeaders: {env: {prefix: g}}}"),
        ("{withoutHeaders: {env: {prefix: g}}}", "{withoutHeaders: {env: {}}}"),
        ("{port: 80}", "{port: 80, headers: {env: {exact: gray}}}"),
        ("{sourceLabels: {app: dog}}", "{sourceLabels: {app: dog, env: gray}}"),
        ("{sourceNamespace: demo}", "{sourceNamespace: demo, uri: {exact: /a}}"),
        ("{gateways: [mesh], uri: {prefix: /a}}", "{uri: {prefix: /a}}"),
        (
            "{headers: {'@request.auth.claims.group': {prefix: a}}}",
            "{headers: {'@request.auth.claims.group': {exact: ab}}}",
        ),
        ("{uri: {prefix: /a}}, {headers: {env: {}}}", "{uri: {exact: /a}}, {headers: {env: {exact: gray}}}"),
    ],
)
def test_gl203_a_wider_match_before_it_is_found(codes, routed, earlier, later):
    assert swallowed(codes, routed, earlier, later)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("{headers: {env: {exact: gray}}}", "{headers: {env: {regex: gray.*}}}"),
        ("{headers: {env: {prefix: gray}}}", "{headers: {env: {}}}"),
        ("{headers: {env: {exact: gray}, x: {exact: y}}}", "{headers: {env: {exact: gray}}}"),
        ("{headers: {env: {exact: gray}}}", "{headers: {x: {exact: gray}}}"),
        ("{uri: {prefix: /a}}", "{uri: {prefix: /b}}"),
        ("{uri: {prefix: /a}}", "{uri: {prefix: /a/b}, ignoreUriCase: true}"),
        ("{queryParams: {env: {}}}", "{headers: {env: {exact: gray}}}"),
        # A header may come twice: one value that is not gray does not say that none is.
        ("{withoutHeaders: {env: {exact: gray}}}", "{headers: {env: {exact: blue}}}"),
        ("{withoutHeaders: {env: {}}}", "{withoutHeaders: {env: {exact: gray}}}"),
        # Without the header, Envoy holds the regex against the empty string.
        ('{withoutHeaders: {env: {regex: ".*"}}}', "{withoutHeaders: {env: {}}}"),
        ("{port: 80}", "{headers: {env: {exact: gray}}}"),
        ("{sourceLabels: {app: dog, env: gray}}", "{sourceLabels: {app: dog}}"),
        # Istio reads no labels where a match names gateways.
        ("{sourceLabels: {app: dog}}", "{sourceLabels: {app: dog}, gateways: [mesh]}"),
        ("{headers: {'@request.auth.claims.Group': {}}}", "{headers: {'@request.auth.claims.group': {exact: ab}}}"),
        ("{uri: {prefix: /a}}", "{uri: {exact: /a}}, {headers: {env: {exact: gray}}}"),
        ("{headers: {env: {exact: a}, Env: {exact: b}}}", "{headers: {env: {exact: b}}}"),
        ("{somethingNew: {exact: a}}", "{headers: {env: {exact: gray}}}"),
    ],
)
def test_gl203_what_an_earlier_match_leaves_over_is_not_reported(codes, routed, earlier, later):
    assert not swallowed(codes, routed, earlier, later)


def test_gl203_a_match_for_one_gateway_leaves_the_others(codes, routed):
    both = "  gateways: [mesh, demo/front]\n"
    earlier, later = "{gateways: [mesh], uri: {prefix: /a}}", "{uri: {prefix: /a}}"
    assert not swallowed(codes, routed, earlier, later, extra=both)
    assert swallowed(codes, routed, earlier, "{gateways: [mesh], uri: {prefix: /a/b}}", extra=both)


def test_gl203_names_each_route_that_takes_a_part(findings, routed):
    earlier = ("{headers: {env: {prefix: g}}}", "{uri: {prefix: /a}}")
    text = routed(*earlier, "{headers: {env: {exact: gray}}}, {uri: {exact: /a/b}}", None)
    (finding,) = [one for one in findings(text) if one.code != "GL222"]
    assert (finding.code, finding.path) == ("GL203", "spec.http[2]")
    assert "http[0] and http[1] takes" in finding.message


def test_gl203_a_route_to_a_delegate_swallows_nothing(codes, routed):
    text = routed("{uri: {prefix: /a}}", "{uri: {prefix: /a/b}}", None)
    first = "route: [{destination: {host: cat.demo.svc.cluster.local, subset: s0}}]"
    assert codes(text) == ["GL203"]
    assert codes(text.replace(first, "delegate: {name: other}")) == []


def many(form, count=1000):
    return [form.replace("N", str(number)) for number in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "matches",
    [
        many("{headers: {env: {exact: lane-N}}}"),
        many("{uri: {prefix: /pN/}}"),
        many("{uri: {prefix: /pN/}, ignoreUriCase: true}"),
        many("{headers: {env: {regex: 'laneN[0-9]+'}}}"),
        many("{headers: {env: {regex: '.*laneN'}}}"),
        many(r"{headers: {baggage: {regex: '(.*,)?\s*env=laneN\s*([;,].*)?'}}}"),
        many("{headers: {env: {regex: 'aN|bN|cN'}}}"),
        many("{withoutHeaders: {env: {exact: lane-N}}}"),
        # Each path for each lane, in both orders.
        [
            f"{{uri: {{prefix: /p{path}/}}, headers: {{env: {{exact: l{lane}}}}}}}"
            for path in range(500)
            for lane in "ab"
        ],
        [
            f"{{uri: {{prefix: /p{path}/}}, headers: {{env: {{exact: l{lane}}}}}}}"
            for lane in "ab"
            for path in range(500)
        ],
        # As many paths as lanes: each path and each lane is one that many matches share.
        [
            f"{{uri: {{prefix: /p{path}/}}, headers: {{env: {{exact: l{lane}}}}}}}"
            for path in range(32)
            for lane in range(31)
        ]
        + many("{uri: {prefix: /q/}, headers: {env: {exact: mN}}}", 8),
    ],
    ids=lambda matches: matches[0],
)
def test_gl203_among_a_thousand_matches_each_is_compared_with_few(routed, monkeypatch, matches):
    (document,) = parse(routed(*matches, matches[0], None), "in.yaml")
    compared = []

    def counted(*each):
        compared.append(each)
        return covers(*each)

    monkeypatch.setattr(match_index, "covers", counted)
    found = unreachable(Resources.parse([document.value]).virtual_services[0])
    assert [(one.route, one.reason) for one in found.routes] == [(1000, Reason.SAME)]
    assert len(compared) < 4 * len(matches)


@pytest.mark.parametrize("seed", range(3))
def test_the_index_finds_what_comparing_with_each_would_find(seed):
    rng = random.Random(seed)
    compared = covered = 0
    for _ in range(60):
        every = []
        while len(every) < 40:
            (owner,) = Resources.parse([virtual_service(rng)]).virtual_services
            numbered = enumerate(owner.spec.http)
            every += [one for place, route in numbered for _, one in conditions(owner, route, place) if not one.always]
        gateways = frozenset(("mesh", "demo/front"))
        index = match_index.MatchIndex(gateways)
        for number, later in enumerate(every):
            found = index.covering(later)
            earlier = [one for one in every[:number] if covers(one, later, gateways)]
            compared, covered = compared + 1, covered + bool(earlier)
            assert (found is not None) is bool(earlier)
            assert found is None or found[1] in earlier
            index.add(number, later)
    assert compared > covered > compared / 20


def test_a_list_of_ten_thousand_strings_is_within_itself_and_a_longer_one():
    short = texts(StringMatch(regex="|".join(f"v{number}" for number in range(10_000))))
    more = texts(StringMatch(regex="|".join(f"v{number}" for number in range(10_001))))
    assert within(short, more)
    assert not within(more, short)
    assert within(short, texts(StringMatch(prefix="v")))


def test_gl201_counts_a_match_for_every_request_as_none(findings, routed):
    for everything in ("{uri: {prefix: /}}", '{uri: {regex: ".*"}}', "{}", "{method: {}}"):
        found = findings(routed("{headers: {env: {exact: gray}}}", everything, "{headers: {env: {exact: blue}}}"))
        assert [(one.code, one.path) for one in found] == [("GL201", "spec.http[2]")]


def test_gl201_every_route_behind_it_is_named_one_for_every_request_too(findings, routed):
    found = findings(routed(None, "{uri: {prefix: /a}}", None, "{uri: {prefix: /}}"))
    assert [(one.code, one.path) for one in found] == [("GL201", f"spec.http[{number}]") for number in (1, 2, 3)]
    assert all("http[0] takes every request" in one.message for one in found)


def test_gl201_and_not_gl207_tells_of_shares_in_two_routes(codes, routed):
    weighted = routed(None, None).replace("}}]}", "}, weight: 50}]}")
    assert weighted.count("weight") == 2
    assert codes(weighted) == ["GL201", "GL207"]  # the first route has a weight that does nothing
    assert codes(weighted.replace("weight: 50", "weight: 100", 1)) == ["GL201"]


def test_gl202_a_repeated_match_of_a_living_route_is_named_alone(findings, routed):
    gray, blue = "{headers: {env: {exact: gray}}}", "{headers: {env: {exact: blue}}}"
    (finding,) = findings(routed(gray, f"{blue}, {gray}", None))
    assert (finding.code, finding.path) == ("GL202", "spec.http[1].match[1]")


def test_gl204_a_narrower_match_beside_a_wider_one_of_its_own_route(findings, routed):
    (finding,) = findings(routed("{headers: {env: {}}}, {headers: {env: {exact: gray}}}", None))
    assert (finding.code, finding.path, finding.level) == ("GL204", "spec.http[0].match[1]", "info")
    assert "match[0]" in finding.message


@pytest.mark.parametrize(
    ("matches", "code", "earlier"),
    [
        # Within its route the first match is wider, and so is the route before it, which leads elsewhere.
        (("{headers: {a: {}}}", "{headers: {b: {}}}, {headers: {a: {exact: x}, b: {exact: y}}}"), "GL204", "http[0]"),
        (
            ("{headers: {a: {}}}", "{headers: {a: {exact: x}}}, {headers: {a: {exact: x}}}, {uri: {prefix: /a}}"),
            "GL204",
            "http[0]",
        ),
        (("{headers: {a: {}}}", "{headers: {a: {}}}, {uri: {prefix: /a}}, {headers: {a: {}}}"), "GL202", "http[0]"),
    ],
)
def test_gl204_and_gl202_tell_of_a_match_once(findings, routed, matches, code, earlier):
    found = [one for one in findings(routed(*matches, None)) if one.code != "GL222"]
    assert len({one.path for one in found}) == len(found) > 0
    assert {one.code for one in found} == {code}
    assert all(earlier in one.message for one in found)
