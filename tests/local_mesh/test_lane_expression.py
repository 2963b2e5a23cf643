"""The expression of `render --telemetry` in a real Envoy: a bounded set of values, whatever a client sends."""

import random
from collections.abc import Callable, Iterator

import pytest
from broker_process import free_port
from local_lab import Headers
from static_envoy import envoy, listener
from urllib3 import HTTPConnectionPool

from meshconfig.baggage import member
from meshconfig.render.telemetry import lane_expression

pytestmark = pytest.mark.envoy

LANES = ["gray", "gray-eu", "prod"]
QUOTES = "x'l%a"  # a header's name may have characters that mean something in CEL and in formats
SENT = {"env": False, "x-lane": True, QUOTES: True}  # by header: whether baggage counts too
Lane = Callable[[str, Headers], str]


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    """The lane that the expression for a tag's header gives for a request."""
    ports = {header: free_port() for header in SENT}
    listeners = []
    for number, (header, port) in enumerate(ports.items()):
        value = f"%CEL({lane_expression(header, LANES, baggage=SENT[header])})%"
        answer = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
        told = [{"header": {"key": "lane", "value": value}}]
        listeners.append(listener(f"l{number}", port, [answer | {"response_headers_to_add": told}]))
    pools = {header: HTTPConnectionPool("127.0.0.1", port) for header, port in ports.items()}
    with envoy(tmp_path_factory.mktemp("envoy"), listeners):
        yield lambda tag, headers: pools[tag].request("GET", "/", headers=dict(headers)).headers["lane"]
    for pool in pools.values():
        pool.close()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("gray", "gray"),
        ("gray-eu", "gray-eu"),
        ("prod", "prod"),
        ("gray.next", "gray"),
        ("gray-eu.next2", "gray-eu"),
        ("gray.last", "other"),
        ("grayish", "other"),
        ("GRAY", "other"),
        ("", "other"),
        ("' + request.headers['x-secret'] + '", "other"),
    ],
)
def test_a_tag_is_a_lane_or_other(lane: Lane, value: str, expected: str) -> None:
    assert {lane(header, [(header, value)]) for header in SENT} == {expected}


def test_a_request_without_a_tag_is_none(lane: Lane) -> None:
    assert {lane(header, [("x-user", "gray")]) for header in SENT} == {"none"}
    assert lane("env", [("baggage", "env=gray")]) == "none"


@pytest.mark.parametrize("header", ["x-lane", QUOTES])
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("{}", "gray-eu"),
        ("a=b,{}", "gray-eu"),
        ("{},a=b", "gray-eu"),
        ("a=b,{},c=d", "gray-eu"),
        ("{};p=1", "gray-eu"),
        ("a=b,{}.next3", "gray-eu"),
        ("x{}", "none"),
        ("a=b", "none"),
        ("{}x", "none"),
    ],
)
def test_baggage_counts_where_the_header_is_absent(lane: Lane, header: str, form: str, expected: str) -> None:
    baggage = ("baggage", form.format(member(header, "gray-eu")))
    assert lane(header, [baggage]) == expected
    assert lane(header, [baggage, (header, "prod")]) == "prod"


def test_no_value_that_a_client_sends_makes_a_new_one(lane: Lane) -> None:
    draw = random.Random(20)
    letters = "gray-eu.nextprod'\\%,;= \"()?:"
    for _ in range(300):
        value = "".join(draw.choices(letters, k=draw.randrange(1, 12))).strip()
        headers = [("x-lane" if draw.random() < 0.5 else "baggage", value)]
        assert lane("x-lane", headers) in {*LANES, "other", "none"}
