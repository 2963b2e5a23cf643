"""From lines of Envoy's log to the way of each request."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.carry import UNTAGGED, Workload
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.local.trace import TraceAssembler
from meshconfig.local.traffic import calls

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


def traces(*lines, until=1.0, callees=lambda service: ()):
    one = TraceAssembler(answerer, callees)
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


def hop(service, start, ms, **fields):
    cluster = f"outbound|9001|gray|{service}"
    return line(listener=f"mesh|9001|{service}", cluster=cluster, start=f"{start:.6f}", ms=ms, **fields)


CALLS = {"cat": {"a", "b"}, "b": {"c"}, "x": {"a"}}


@pytest.mark.parametrize(
    ("hops", "callees", "tree"),
    [
        # One after the other: what has ended by then did not call.
        ([("a", 10.001, 2), ("b", 10.005, 2)], {}, "cat/gray → (a/gray, b/gray)"),
        ([("a", 10.001, 2), ("b", 10.005, 9), ("c", 10.006, 2)], {}, "cat/gray → (a/gray, b/gray → c/gray)"),
        ([("a", 10.001, 9), ("b", 10.002, 7), ("c", 10.003, 5)], {}, "cat/gray → a/gray → b/gray → c/gray"),
        # At once: the spec knows who calls whom.
        ([("a", 10.001, 9), ("b", 10.002, 9), ("c", 10.003, 5)], CALLS, "cat/gray → (a/gray, b/gray → c/gray)"),
        ([("b", 10.001, 9), ("a", 10.002, 9), ("c", 10.003, 5)], CALLS, "cat/gray → (b/gray → c/gray, a/gray)"),
        # The spec does not know of this call: the latest that was waiting made it.
        ([("b", 10.001, 9), ("d", 10.002, 2)], CALLS, "cat/gray → b/gray → d/gray"),
        ([("a", 10.001, 2), ("a", 10.005, 2), ("a", 10.009, 2)], CALLS, "cat/gray → (a/gray, a/gray, a/gray)"),
    ],
)
def test_a_service_that_calls_several_is_a_tree(hops, callees, tree):
    lines = [hop(*one) for one in hops]
    found = traces(*lines, line(ms=20), callees=lambda service: callees.get(service, ()))
    assert found == [f"env=gray  cat.example.com/sayHello → {tree}  20 ms"]


SHARED = {"cat": {"a", "b"}, "a": {"c"}, "b": {"c"}, "c": {"d"}}


@pytest.mark.parametrize(
    ("hops", "callees", "tree"),
    [
        (
            [("a", 10.001, 9), ("b", 10.002, 9), ("c", 10.003, 5)],
            SHARED,
            "cat/gray → (a/gray, b/gray, c/gray (called by a or b))",
        ),
        # What such a hop calls is known again.
        (
            [("b", 10.001, 9), ("a", 10.002, 9), ("c", 10.003, 5), ("d", 10.004, 2)],
            SHARED,
            "cat/gray → (b/gray, a/gray, c/gray (called by a or b) → d/gray)",
        ),
        # The log leaves nothing open: only one of them was still waiting.
        ([("a", 10.001, 2), ("b", 10.005, 9), ("c", 10.006, 2)], SHARED, "cat/gray → (a/gray, b/gray → c/gray)"),
        # One of the two stands below the other.
        (
            [("a", 10.001, 9), ("c", 10.002, 5)],
            {"cat": {"a", "c"}, "a": {"c"}},
            "cat/gray → (a/gray, c/gray (called by a or cat))",
        ),
        # Two calls of one service: whichever of them it was, the caller is named.
        ([("a", 10.001, 9), ("a", 10.002, 9), ("c", 10.003, 5)], SHARED, "cat/gray → (a/gray, a/gray → c/gray)"),
    ],
)
def test_a_hop_that_several_may_have_called_names_them(hops, callees, tree):
    found = traces(*(hop(*one) for one in hops), line(ms=20), callees=lambda service: callees.get(service, ()))
    assert found == [f"env=gray  cat.example.com/sayHello → {tree}  20 ms"]


def test_a_hop_that_failed_and_that_several_may_have_called():
    failed = hop("c", 10.003, 5, status=503, flags="UH")
    found = traces(
        hop("a", 10.001, 9), hop("b", 10.002, 9), failed, line(ms=20), callees=lambda one: SHARED.get(one, ())
    )
    (shown,) = found
    assert "c/gray 503 UH (called by a or b)" in shown


def test_a_call_that_outlives_its_caller_is_below_it_all_the_same():
    assert traces(hop("a", 10.5, 900), line(ms=20)) == ["env=gray  cat.example.com/sayHello → cat/gray → a/gray  20 ms"]


@pytest.mark.parametrize(
    ("flags", "status", "words"),
    [
        ("UH", 503, ["UH: no process of this version is running"]),
        ("NR", 404, ["NR: no route matches its host, path and headers"]),
        ("UF,URX", 503, ["UF: the process does not accept", "URX: it was tried again"]),
        ("DC", 0, ["DC: the client closed the connection"]),
        ("NC", 503, ["NC: the route leads to a version that no process"]),
        ("ZZ", 503, []),
        ("-", 503, []),
        ("-", 200, []),
    ],
)
def test_the_flags_of_a_failure_are_said_in_words(flags, status, words):
    one = TraceAssembler(answerer)
    one.add(line(**INNER, flags=flags, status=status), 0.0)
    one.add(line(flags=flags, status=status), 0.0)
    (trace,) = one.done(1.0)
    found = trace.reasons()
    assert len(found) == len(words)
    assert all(reason.startswith(word) for reason, word in zip(found, words, strict=True))


def entry(*fields):
    names = ("id", "listener", "start", "ms", "cluster")
    return json.dumps({"host": "h", "path": "/", **dict(zip(names, fields, strict=True))}).encode()


ENTRIES = st.builds(
    entry,
    st.just("one"),
    st.sampled_from([GATEWAY, MESH]),
    st.floats(0, 1).map(str),
    st.integers(0, 1000),
    st.sampled_from("abc").map(lambda name: f"outbound|1||{name}"),
)


@given(st.lists(ENTRIES, min_size=1, max_size=8))
def test_every_hop_is_in_the_tree_once(lines):
    one = TraceAssembler(answerer, lambda service: {"a": "bc", "b": "c"}.get(service, ""))
    for text in lines:
        one.add(text, 0.0)
    (trace,) = one.done(100.0)
    assert len(trace.roots) == 1
    wanted = sorted(json.loads(text)["cluster"][-1] for text in lines)
    assert sorted(hop.service for hop in trace.hops) == wanted


@given(st.lists(st.binary() | st.sampled_from([line(), line(**INNER), line(id="two"), b"{}", b"[1]", b"7"])))
def test_whatever_the_log_holds_every_request_is_told_once(lines):
    one = TraceAssembler(answerer)
    for text in lines:
        one.add(text, 0.0)
    told = list(one.done(100.0))
    assert not list(one.done(1000.0))
    ids = {json.loads(text)["id"] for text in lines if text.startswith(b'{"id"')}
    assert len(told) == len(ids)


GROUP = """
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: shop, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}}
  services:
    cat: {host: cat, port: 1, calls: [pay], versions: {prod: {labels: {v: a}}, gray: {labels: {v: b}}}}
    pay:
      host: pay.example.com
      port: 80
      external: {}
      versions: {gray: {host: sandbox.example.com}, prod: {host: pay.example.com}}
"""


def test_each_hop_is_a_call_of_the_lane_that_its_route_set_and_keeps_that_lane_outside_the_mesh():
    (group,) = groups(parse(GROUP, "shop.yaml"))
    outside = line(**{**INNER, "cluster": "outbound|9001|gray|pay", "status": 503, "sent": {"env": None}})
    one = TraceAssembler(answerer)
    for text in (line(tags={}, sent={"env": "gray"}), outside):
        one.add(text, 0.0)
    (trace,) = one.done(1.0)
    cat, pay = calls(group.spec, trace, 7.0)
    assert (cat.caller, cat.callee, cat.lane, cat.failed) == (None, Workload("cat", "gray"), "gray", False)
    assert (pay.caller, pay.callee, pay.lane, pay.failed) == (cat.callee, Workload("pay", "gray"), "gray", True)
    assert (cat.milliseconds, pay.milliseconds) == (3, 1)


def test_a_hop_without_a_tag_is_of_no_lane_and_one_of_no_service_is_no_call():
    (group,) = groups(parse(GROUP, "shop.yaml"))
    one = TraceAssembler(answerer)
    one.add(line(sent={}), 0.0)
    one.add(line(id="two", cluster="", flags="NR", status=404), 0.0)
    assert [call.lane for trace in one.done(1.0) for call in calls(group.spec, trace, 0.0)] == [UNTAGGED]
