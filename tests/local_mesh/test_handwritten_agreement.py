"""Resources that no spec of ours renders to, and still: `simulate` and the real Envoy decide alike."""

import itertools
from functools import partial

import pytest
import yaml
from agreement import agree
from fuzzing import LONG
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from meshconfig.istio import Resources
from meshconfig.local.config import Endpoint
from meshconfig.local.envoy import translate
from meshconfig.simulate import Index, Request, simulate

pytestmark = pytest.mark.envoy

GATEWAY = "gateway|80|istio=ingress"
HOST = "cat-svc.demo.svc.cluster.local"
VERSIONS = ("v1", "v2", "v3")
BASE = """
- {kind: Service, apiVersion: v1, metadata: {name: cat-svc, namespace: demo}, spec: {ports: [{port: 80}]}}
- kind: DestinationRule
  metadata: {name: cat, namespace: demo}
  spec:
    host: cat-svc
    subsets: [{name: v1, labels: {env: v1}}, {name: v2, labels: {env: v2}}, {name: v3, labels: {env: v3}}]
- kind: Gateway
  metadata: {name: edge, namespace: demo}
  spec:
    selector: {istio: ingress}
    servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.example.com, "*.b.example.com", "*"]}]
"""
TO = {name: f"route: [{{destination: {{host: cat-svc, subset: {name}}}}}]" for name in VERSIONS}
HOSTS = ("a.example.com", "x.b.example.com", "y.x.b.example.com", "b.example.com", "other.org", "A.Example.com:8080")


def resources(*virtual_services):
    manifests = yaml.safe_load(BASE)
    for number, spec in enumerate(virtual_services):
        metadata = {"name": f"vs-{number}", "namespace": "demo"}
        manifests.append({"kind": "VirtualService", "metadata": metadata, "spec": {"gateways": ["edge"], **spec}})
    for one in manifests:
        one.setdefault("apiVersion", "networking.istio.io/v1")
    return Resources.parse(manifests)


def hosts(names, http):
    return {"hosts": names, "http": yaml.safe_load(http)}


LARGE = "|".join(["y.*"] * 60)
CASES = {
    "a path in any case": [
        hosts(
            ["*"],
            f"[{{match: [{{uri: {{exact: /B}}, ignoreUriCase: true}}], {TO['v1']}}}, "
            f"{{match: [{{uri: {{prefix: /API}}, ignoreUriCase: true}}], {TO['v2']}}}, "
            f"{{match: [{{uri: {{prefix: /}}, ignoreUriCase: false}}], {TO['v3']}}}]",
        )
    ],
    "a regex larger than Envoy's own limit": [
        hosts(["*"], f"[{{match: [{{headers: {{x-team: {{regex: '{LARGE}'}}}}}}], {TO['v1']}}}, {{{TO['v2']}}}]")
    ],
    "several at one host, who takes all comes last": [
        hosts(["a.example.com"], f"[{{{TO['v1']}}}]"),
        hosts(["a.example.com", "*"], f"[{{match: [{{uri: {{prefix: /b}}}}], {TO['v2']}}}, {{{TO['v3']}}}]"),
    ],
    "the narrower host": [
        hosts(["*"], f"[{{{TO['v1']}}}]"),
        hosts(["*.b.example.com"], f"[{{{TO['v2']}}}]"),
        hosts(["x.b.example.com"], f"[{{match: [{{uri: {{exact: /}}}}], {TO['v3']}}}]"),
    ],
    "header operations, before and after": [
        hosts(
            ["*"],
            "[{headers: {request: {set: {env: route, x-a: '1'}, remove: [x-team]}}, route: ["
            "{weight: 1, headers: {request: {set: {env: v1}}}, destination: {host: cat-svc, subset: v1}}, "
            "{weight: 1, headers: {request: {remove: [env], add: {a: b}}}, destination: {host: cat-svc, subset: v2}}"
            "]}]",
        )
    ],
    "one destination, both levels": [
        hosts(
            ["*"],
            "[{headers: {request: {remove: [env], add: {x-team: t}}}, route: ["
            "{destination: {host: cat-svc, subset: v1}, headers: {request: {set: {env: v1}, add: {x-a: b}}}}]}]",
        )
    ],
    "answers of the proxy itself": [
        hosts(
            ["*"],
            "[{match: [{uri: {prefix: /api}}], redirect: {uri: /moved, authority: m.example.com, redirectCode: 302}}, "
            "{match: [{uri: {exact: /b}}], directResponse: {status: 418, body: {string: short}}}, "
            "{match: [{method: {exact: POST}}], fault: {abort: {httpStatus: 503, percentage: {value: 100}}}, "
            f"{TO['v1']}}}, "
            "{route: [{destination: {host: cat-svc, subset: nowhere}}]}]",
        )
    ],
    "rewrites": [
        hosts(
            ["*"],
            f"[{{match: [{{uri: {{prefix: /api}}}}], rewrite: {{uri: /new}}, {TO['v1']}}}, "
            f"{{match: [{{uri: {{exact: /b}}}}], rewrite: {{uri: /exact, authority: other}}, {TO['v2']}}}, "
            f"{{rewrite: {{uriRegexRewrite: {{match: '^/(.*)$', rewrite: '/r/\\1'}}}}, {TO['v3']}}}]",
        )
    ],
}


def endpoints(envoy):
    return [Endpoint(HOST, 80, {"env": one}, "127.0.0.1", envoy.port_of(f"cat/{one}")) for one in VERSIONS]


def ask_both(envoy, given_to_istio, requests):
    envoy.change(translate(given_to_istio, endpoints(envoy)))
    index = Index(given_to_istio)
    for host, method, path, headers in requests:
        request = Request(host, path, method, headers, gateway="demo/edge")
        send = partial(envoy.ask, GATEWAY, path, [("host", host), *headers], method)
        agree(simulate(index, request), send, request)


@pytest.mark.parametrize("case", CASES)
def test_simulate_and_envoy_decide_alike(envoy, case):
    asked = itertools.product(HOSTS, ("GET", "POST"), ("/", "/b", "/api/v1?q=1"), ((), (("env", "x"), ("x-team", "y"))))
    ask_both(envoy, resources(*CASES[case]), asked)


WORDS = st.sampled_from(("", "gray", "grayer", "blue", "Gray", "gray,blue"))
NAMES = st.sampled_from(("env", "x-team", "end-user"))
PATHS = st.sampled_from(("/", "/a", "/A", "/a/b", "/ab", "/a/b?q=gray", "/?q=gray&q=blue", "/?q=", "/?p=grayer&q=x"))
STRINGS = st.one_of(
    WORDS.map(lambda word: {"exact": word}),
    st.sampled_from(("g", "gray", "G")).map(lambda word: {"prefix": word}),
    st.sampled_from(("gray|blue", ".*", "gr.y", "[gG]ray.*", "*")).map(lambda word: {"regex": word}),
    st.just({}),
)
URIS = st.one_of(
    st.sampled_from(("/", "/a", "/a/b", "/A")).map(lambda path: {"exact": path}),
    st.sampled_from(("/", "/a", "/a/", "/A")).map(lambda path: {"prefix": path}),
    st.sampled_from(("/a.*", "/[aA]", ".*", "/a/b")).map(lambda path: {"regex": path}),
)
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "uri": URIS,
        "ignoreUriCase": st.booleans(),
        "headers": st.dictionaries(NAMES, STRINGS, max_size=2),
        "withoutHeaders": st.dictionaries(NAMES, STRINGS, max_size=2),
        "queryParams": st.dictionaries(st.sampled_from(("q", "p")), STRINGS, max_size=2),
        "method": st.sampled_from(({"exact": "POST"}, {"regex": "P.*"}, {"prefix": "G"})),
        "authority": st.sampled_from(({"exact": "a.example.com"}, {"prefix": "x."}, {"regex": ".*:8080"})),
        "port": st.sampled_from((80, 81)),
        "gateways": st.sampled_from((["edge"], ["mesh"], ["demo/edge", "mesh"])),
    },
)
ROUTES = st.lists(
    st.tuples(st.lists(MATCHES, min_size=1, max_size=2), st.sampled_from(VERSIONS)), min_size=1, max_size=4
)
ASKED = st.tuples(
    st.sampled_from(HOSTS), st.sampled_from(("GET", "POST")), PATHS, st.lists(st.tuples(NAMES, WORDS), max_size=3)
)


@pytest.mark.slow
@pytest.mark.fuzz
@settings(
    max_examples=1000 if LONG else 60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # what fails is printed whole; to shrink it takes minutes
)
@given(routes=ROUTES, asked=st.lists(ASKED, min_size=5, max_size=10))
def test_fuzz_simulate_and_envoy_match_alike(envoy, routes, asked):
    http = [{"match": match, **yaml.safe_load(f"{{{TO[version]}}}")} for match, version in routes]
    ask_both(envoy, resources({"hosts": ["*"], "http": http}), asked)
