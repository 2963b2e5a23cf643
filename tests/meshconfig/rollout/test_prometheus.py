"""Prometheus' answers, real HTTP on loopback: a number, or no data and the reason."""

import json
import socket
from contextlib import contextmanager
from urllib.parse import parse_qs

import pytest
from canned import answering
from rollout_world import NOW, group, rollout

from meshconfig.exchange.allowed import Allowed
from meshconfig.exchange.send import Limits
from meshconfig.rollout.analysis import Answer
from meshconfig.rollout.prometheus import LIMITS, Prometheus
from meshconfig.rollout.queries import values
from meshconfig.spec.rollout import Metric

METRIC = Metric(name="success", preset="istio-success", min=0.99)
AT = NOW.timestamp()


def vector(*values, at=AT):
    result = [{"metric": {"n": str(number)}, "value": [at, value]} for number, value in enumerate(values)]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


@contextmanager
def prometheus(url, seconds=5.0):
    client = Prometheus(url, Allowed.of(["127.0.0.1"]), limits=Limits(seconds, LIMITS.size))
    try:
        yield client
    finally:
        client.close()


def reading(status, body):
    with answering((status, body)) as server, prometheus(server.url) as client:
        return client.read(METRIC, "cat", values(rollout(), group(), "cat"), NOW)


def test_the_query_goes_where_prometheus_takes_it_and_the_number_is_judged():
    with answering((200, vector("0.995")), (200, vector("0.5"))) as server, prometheus(server.url + "/prom/") as client:
        first, second = (client.read(METRIC, "cat", values(rollout(), group(), "cat"), NOW) for _ in range(2))
    assert (first.answer, first.value, first.key) == (Answer.PASS, 0.995, "success/cat")
    assert (second.answer, second.why) == (Answer.FAIL, "0.5 is below min 0.99")
    method, path, headers, body = server.seen[0]
    assert (method, path) == ("POST", "/prom/api/v1/query")
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert 'destination_workload="cat-v2"' in parse_qs(body.decode())["query"][0]


def test_a_scalar_is_a_number_too():
    body = json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [AT, "1"]}})
    assert reading(200, body).answer is Answer.PASS


MATRIX = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}})
BAD = json.dumps({"status": "error", "errorType": "bad_data", "error": "parse error: unexpected <by>"})


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (200, vector(), "the query gives nothing"),
        (200, vector("NaN"), "nan is not a number to compare"),
        (200, vector("+Inf"), "inf is not a number to compare"),
        (200, vector("1", "1"), "the query gives 2 series, not one: aggregate them, as by sum(…)"),
        (200, vector("1", at=AT - 61), "the answer is 61 s old by this clock"),
        (200, MATRIX, "the query gives a matrix, not one number"),
        (400, BAD, "HTTP 400: parse error: unexpected <by>"),
        (503, "upstream connect error", "HTTP 503, and not Prometheus' JSON"),
        (200, "[]", "HTTP 200: not an answer of Prometheus"),
        (200, '{"status": "success"}', "not an answer of Prometheus to an instant query"),
        (200, vector("one"), "not an answer of Prometheus to an instant query"),
        (200, "", "HTTP 200, and not Prometheus' JSON"),
    ],
)
def test_what_is_no_number_is_no_data_with_the_reason(status, body, why):
    found = reading(status, body)
    assert (found.answer, found.why) == (Answer.NO_DATA, why)


def test_nobody_there_is_no_data():
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with prometheus(url) as client:
        found = client.read(METRIC, "cat", values(rollout(), group(), "cat"), NOW)
    assert found.answer is Answer.NO_DATA
    assert found.why.startswith(url)


def test_nobody_who_answers_is_no_data():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with prometheus(url, seconds=0.05) as client:
            found = client.read(METRIC, "cat", values(rollout(), group(), "cat"), NOW)
    assert found.answer is Answer.NO_DATA
    assert "timed out" in found.why
