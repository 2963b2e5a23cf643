"""From lines of Envoy's log to the way of each request."""

import json

from hypothesis import given
from hypothesis import strategies as st

from meshconfig.local.trace import TraceAssembler

GATEWAY, MESH = "gateway|80|istio=ingressgateway", "mesh|9001|mouse-svc.demo.svc.cluster.local"


def answerer(cluster, upstream):
    _, _, subset, host = cluster.split("|") if cluster else ("", "", "", "")
    return host, subset or upstream


def line(listener=GATEWAY, cluster="outbound|9001|gray|cat", **fields):
    entry = {
        "id": "one",
        "self": "own",
        "listener": listener,
        "host": "cat.example.com",
        "path": "/sayHello?q=1",
        "status": 200,
        "flags": "-",
        "cluster": cluster,
        "upstream": "127.0.0.1:4001",
        "start": "10.0",
        "ms": 3,
        "tags": {"env": "gray"},
        **fields,
    }
    return json.dumps(entry).encode()


INNER = {"listener": MESH, "cluster": "outbound|9001|gray|mouse", "start": "10.001", "ms": 1}


def traces(*lines, until=1.0):
    one = TraceAssembler(answerer)
    for text in lines:
        one.add(text, 0.0)
    return [str(trace) for trace in one.done(until)]


def test_hops_of_one_request_are_one_line_in_the_order_in_which_they_began():
    assert traces(line(**INNER), line()) == ["env=gray  cat.example.com/sayHello → cat/gray → mouse/gray  3 ms"]


def test_an_inner_hop_that_is_logged_a_moment_late_still_belongs_to_it():
    assert traces(line(), line(**INNER)) == ["env=gray  cat.example.com/sayHello → cat/gray → mouse/gray  3 ms"]


def test_nothing_is_told_before_the_outermost_hop_has_ended():
    assert traces(line(**INNER)) == []


def test_a_request_that_enters_at_a_services_address_is_told_as_such():
    assert traces(line(**{**INNER, "id": "own"})) == ["env=gray  (mesh) → mouse/gray  1 ms"]


def test_hops_whose_outermost_never_shows_are_told_in_the_end():
    assert traces(line(**INNER), until=60.0) == ["env=gray  (mesh) → mouse/gray  1 ms"]


def test_a_hop_that_failed_shows_how():
    failed = line(**INNER, status=503, flags="UF")
    assert traces(failed, line(status=502)) == [
        "env=gray  cat.example.com/sayHello → cat/gray 502 → mouse/gray 503 UF  3 ms"
    ]


def test_no_route_and_an_answer_of_the_route_itself():
    assert traces(line(cluster=None, upstream=None, status=404, flags="NR", tags={"env": None})) == [
        "untagged  cat.example.com/sayHello → no route 404 NR  3 ms"
    ]
    assert traces(line(cluster=None, upstream=None, status=503)) == [
        "env=gray  cat.example.com/sayHello → (answered by its route) 503  3 ms"
    ]


def test_a_version_that_the_cluster_does_not_name_is_the_processs():
    assert traces(line(cluster="outbound|9001||cat")) == [
        "env=gray  cat.example.com/sayHello → cat/127.0.0.1:4001  3 ms"
    ]


@given(st.lists(st.binary() | st.sampled_from([line(), line(**INNER), line(id="two"), b"{}", b"[1]", b"7"])))
def test_whatever_the_log_holds_every_request_is_told_once(lines):
    one = TraceAssembler(answerer)
    for text in lines:
        one.add(text, 0.0)
    told = list(one.done(100.0))
    assert not list(one.done(1000.0))
    ids = {json.loads(text)["id"] for text in lines if text.startswith(b'{"id"')}
    assert len(told) == len(ids)
