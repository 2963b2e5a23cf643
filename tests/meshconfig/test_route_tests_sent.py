"""`graylane test --send`: real requests to a gateway on loopback, and who is known to have answered."""

import itertools
import json
import random
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from serving import LoopbackServer, serving

from meshconfig.route_tests.sent import accepted, read_answer

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "examples" / "cat-mouse" / "graylane.yaml"
SPLIT = ROOT / "examples" / "entry-split" / "graylane.yaml"
TRAIL = "x-graylane-trail"
GRAY = [(TRAIL, "mouse/gray"), (TRAIL, "cat/gray")]
GRAY_CAT = {"host": "cat.example.com", "path": "/hello", "headers": {"env": "gray"}}


class Gateway(BaseHTTPRequestHandler):
    """Answers with what `server.answers` gives next: (status, headers, body). `server.seen`: the requests' headers."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self):
        self.server.seen.append((self.path, [(name.lower(), value) for name, value in self.headers.items()]))
        status, headers, body = next(self.server.answers)
        if status is None:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  a name of http.server

    def log_message(self, *args):
        pass


@pytest.fixture
def gate():
    server: Any = LoopbackServer(Gateway)
    server.seen, server.answers = [], itertools.repeat((200, GRAY, b""))
    with serving(server):
        yield server


@pytest.fixture
def sent(graylane, tmp_path, gate):
    """Check one case and send its request; gives (exit code, the sentences about it, standard error)."""

    def run(expect, request=GRAY_CAT, answers=None, spec=SPEC, send=None, arguments=()):
        written = {"name": "it", "request": request, "expect": expect}
        test = {"apiVersion": "graylane.dev/v1", "kind": "RouteTest", "spec": {"cases": [written]}}
        (tmp_path / "tests.yaml").write_text(yaml.safe_dump(test, sort_keys=False))
        if answers is not None:
            gate.answers = iter(answers)
        more = ["--output", "json", "--send", send or gate.url, *arguments]
        code, out, err = graylane("test", "-f", spec, "-t", tmp_path / "tests.yaml", *more)
        (one,) = json.loads(out)["cases"] if out else [{"failures": [], "notes": []}]
        return code, [*one["failures"], *one["notes"]], err

    return run


def chain(*hops, saw="gray"):
    """What the demo's services answer."""
    listed = [{"service": service, "env": env, "saw": saw} for service, _, env in (hop.partition("/") for hop in hops)]
    return json.dumps({"chain": listed}).encode()


def test_the_request_of_the_case_is_sent_and_no_more(sent, gate):
    request = {**GRAY_CAT, "path": "/a%20b?c=d", "headers": {"env": ["nobody", "gray"], "x-a": "b"}, "method": "POST"}
    assert sent({"service": "cat", "version": "gray"}, request)[0] == 0
    ((path, headers),) = gate.seen
    assert path == "/a%20b?c=d"
    assert [one for one in headers if one != ("content-length", "0")] == [
        ("host", "cat.example.com"),
        ("env", "nobody"),
        ("env", "gray"),
        ("x-a", "b"),
    ]


@pytest.mark.parametrize(
    ("expect", "answer"),
    [
        ({"service": "cat", "version": "gray"}, (200, GRAY, b"")),
        ({"chain": ["cat/gray", "mouse/gray"]}, (200, GRAY, b"")),
        ({"chain": ["cat/gray", "mouse/gray"]}, (200, [(TRAIL, "mouse/gray, cat/gray")], b"")),
        ({"chain": ["cat/gray", "mouse/gray"]}, (200, GRAY[1:], chain("cat/gray", "mouse/gray"))),
        ({"chain": ["cat/gray", "mouse/gray"], "headers": {"env": "gray"}}, (200, [], chain("cat/gray", "mouse/gray"))),
        ({"chain": ["cat", "mouse"]}, (200, [], chain("cat/gray", "dog/x", "mouse/gray", "mouse/gray"))),
        ({"service": "cat", "status": 201}, (201, GRAY, b"")),
        ({"version": "gray", "status": 500}, (500, GRAY, b"no JSON")),
    ],
)
def test_an_answer_as_expected_passes(sent, expect, answer):
    code, said, _ = sent(expect, answers=[answer])
    assert (code, [one for one in said if one.startswith("sent")]) == (0, [])


@pytest.mark.parametrize(
    ("expect", "answer", "said"),
    [
        ({"version": "gray"}, (200, [(TRAIL, "cat/prod")], b""), "expected version gray; got 200 from cat/prod"),
        ({"service": "cat"}, (200, [(TRAIL, "dog/gray")], b""), "expected cat; got 200 from dog/gray"),
        (
            {"chain": ["cat/gray", "mouse/gray"]},
            (200, [(TRAIL, "mouse/prod"), (TRAIL, "cat/gray")], b""),
            "expected the chain cat/gray → mouse/gray; got 200 from cat/gray → mouse/prod",
        ),
        (
            {"chain": ["cat/gray", "mouse/gray"]},
            (200, [], chain("cat/gray")),
            "expected the chain cat/gray → mouse/gray; got 200 from cat/gray",
        ),
        (
            {"service": "cat", "status": 200},
            (503, GRAY, b""),
            "expected status 200; got 503 from cat/gray → mouse/gray",
        ),
        (
            {"headers": {"env": "gray"}},
            (200, [], chain("cat/gray", saw=None)),
            "expected env: gray at the service; it saw none",
        ),
        (
            {"version": "gray"},
            (503, [], b"upstream connect error"),
            "expected version gray; got status 503: the answer does not say who gave it: only the header "
            "x-graylane-trail (trail: true, for tagged requests) and the demo's JSON chain do",
        ),
        ({"version": "gray"}, (None, [], b""), "no answer came: RemoteProtocolError: Server disconnected without"),
    ],
)
def test_another_answer_fails(sent, expect, answer, said):
    code, (failure, *_), _ = sent(expect, answers=[answer])
    assert code == 1
    assert failure.startswith(f"sent: {said}")


def test_both_the_files_and_the_answer_have_to_be_right(sent):
    code, said, _ = sent({"service": "cat", "version": "prod"}, answers=[(200, [(TRAIL, "cat/prod")], b"")])
    assert (code, said[0]) == (1, "expected cat/prod; got cat/gray")


def test_what_an_answer_does_not_show_is_noted(sent):
    code, said, _ = sent({"service": "cat", "headers": {"env": "gray"}})
    assert code == 0
    assert said == ["sent: the answer does not show env as the service got it; only files were compared"]


REDIRECT = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: demo}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, protocol: HTTP, name: h}, hosts: ["*"]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: demo}
spec:
  hosts: [shop.example.com]
  gateways: [gw]
  http:
  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new}
  - directResponse: {status: 418}
"""


MOVED = "http://shop.example.com/new"


@pytest.mark.parametrize(("location", "code"), [("/new", 0), (MOVED, 0), ("/other", 1), ("", 1)])
def test_redirects_and_statuses_of_any_mesh(sent, tmp_path, location, code):
    (tmp_path / "mesh.yaml").write_text(REDIRECT)
    asked = {"host": "shop.example.com", "path": "/old"}
    expect = {"redirect": MOVED, "status": 301}
    headers = [("location", location)] if location else []
    found = sent(expect, asked, [(301, headers, b"")], tmp_path / "mesh.yaml")
    assert found[0] == code, found
    tea = {"host": "shop.example.com"}
    assert sent({"status": 418}, tea, [(418, [], b"")], tmp_path / "mesh.yaml")[0] == 0
    code, said, _ = sent({"status": 418}, tea, [(404, [], b"")], tmp_path / "mesh.yaml")
    assert (code, said) == (1, ["sent: expected status 418; got status 404"])


def test_a_request_inside_the_mesh_is_not_sent(sent, gate):
    code, said, _ = sent({"service": "mouse", "version": "gray"}, {**GRAY_CAT, "host": "mouse", "from": "cat"})
    assert (code, gate.seen) == (0, [])
    assert said == ["not sent: its request is sent inside the mesh, and not to a gateway"]
    code, said, _ = sent({"status": 404}, {"host": "https://cat.example.com"})
    assert (code, gate.seen) == (1, [])  # the Gateway listens on port 80 alone
    assert said[-1] == "not sent: its request is of https, and --send is of http"


def test_the_gateway_may_be_named_without_a_scheme(sent, gate):
    assert sent({"service": "cat"}, send=gate.url.removeprefix("http://"))[0] == 0
    assert len(gate.seen) == 1


def test_a_gateway_that_is_not_there_is_an_error_and_no_answer(sent):
    code, _, err = sent({"service": "cat"}, send="127.0.0.1:1")
    assert code == 2
    assert err.startswith("graylane: the gateway 127.0.0.1:1 cannot be reached: ")


def answering(share, seed=7):
    """A tenth, or another share, to gray, as a proxy draws it."""
    chance = random.Random(seed)
    while True:
        version = "gray" if chance.random() < share else "prod"
        yield 200, [(TRAIL, f"cat/{version}")], b""


@pytest.mark.slow
@pytest.mark.parametrize(("share", "code"), [(0.1, 0), (0.5, 1), (0.0, 1), (1.0, 1)])
def test_shares_are_compared_within_chance(sent, gate, share, code):
    expect = {"service": "cat", "shares": {"prod": 90, "gray": 10}}
    found = sent(expect, {"host": "cat.example.com"}, answering(share), SPLIT)
    assert found[0] == code
    assert len(gate.seen) == 500
    assert found[1][-1].startswith("sent: of 500 answers: cat/prod ")
    if code:
        assert found[1][0].endswith(" are within chance")
        assert "sent: expected 90 % for cat/prod; got " in found[1][0]


@pytest.mark.slow
def test_shares_take_as_many_requests_as_one_likes_and_names_of_all(sent, gate):
    expect = {"shares": {"prod": 90, "gray": 10}}
    assert sent(expect, {"host": "cat.example.com"}, answering(0.1), SPLIT, arguments=["--requests", "50"])[0] == 0
    assert len(gate.seen) == 50
    code, said, _ = sent(expect, {"host": "cat.example.com"}, itertools.repeat((200, [], b"")), SPLIT)
    assert (code, said[0].startswith("sent: 500 of 500 answers: the answer does not say")) == (1, True)
    other = itertools.repeat((200, [(TRAIL, "dog/x")], b""))
    assert sent(expect, {"host": "cat.example.com"}, other, SPLIT)[1][2] == (
        "sent: 500 of 500 answers came from none of the expected"
    )


@given(st.floats(0.01, 0.99), st.integers(20, 2000))
def test_the_bound_lets_a_right_share_pass_and_is_no_wider_than_it_must_be(share, total):
    low, high = accepted(share, total, 1e-4)
    assert 0 <= low <= share * total <= high <= total

    def inside(low, high):
        from statistics import NormalDist

        spread = NormalDist(share * total, max(1e-9, (share * (1 - share) * total) ** 0.5))
        return spread.cdf(high + 0.5) - spread.cdf(low - 0.5)

    if share * total > 100 and (1 - share) * total > 100:  # where the normal distribution is near
        assert inside(low, high) > 1 - 2e-4
        assert inside(low + 3, high - 3) < 1 - 5e-5


def test_the_ends_of_the_bound():
    assert accepted(0.0, 500, 1e-4) == (0, 0)
    assert accepted(1.0, 500, 1e-4) == (500, 500)
    low, high = accepted(0.1, 500, 1e-4)
    assert (low, high) == (26, 78)  # of the exact binomial distribution


@given(st.integers(100, 599), st.lists(st.tuples(st.sampled_from([TRAIL, "location", "x"]), st.text())), st.binary())
def test_any_answer_can_be_read(status, headers, body):
    answer = read_answer(status, headers, body, "http://a.org/")
    assert answer.status == status
    assert all(len(hop) == 2 for hop in answer.hops)


@pytest.mark.parametrize(
    "body", [b"[]", b'{"chain": []}', b'{"chain": [1]}', b'{"chain": {}}', b"[" * 100_000, b"\xff"]
)
def test_a_body_that_is_no_chain_says_nothing(body):
    assert read_answer(200, [], body, "http://a.org/").hops == ()
