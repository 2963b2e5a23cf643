"""Pass, fail or no data: what measurements add up to, and what Prometheus is asked."""

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollout_world import GROUP, METRICS, NOW, group, rollout

from meshconfig.rollout.analysis import Answer, Reading, asks, count, judge, verdict
from meshconfig.rollout.queries import PRESETS, per_service, query
from meshconfig.spec.rollout import Metric

END = NOW + timedelta(minutes=5)
PASS, FAIL, NO_DATA = Answer


def metric(**given):
    return Metric.model_validate({"name": "m", "query": "up", "min": 0.9, "max": 2, "every": "1m", **given})


def measured(answers, *, minutes=5, **given):
    """One metric, measured when it is due, until there is a verdict: it, and after how many seconds."""
    metrics = [metric(**given).model_dump(mode="json", by_alias=True, exclude_unset=True)]
    steps = [{"weight": 100}, {"analysis": {"for": f"{minutes}m"}}]
    plan = rollout(steps, analysis={"prometheus": "http://127.0.0.1:1", "metrics": metrics})
    end, now = NOW + timedelta(minutes=minutes), NOW
    tallies: Any = {}
    for answer in answers:
        (ask,) = asks(plan, tallies, NOW, end)
        now = ask.at
        tallies = count(plan, tallies, (Reading(metric="m", answer=answer, why=str(answer)),), NOW, end, now)
        if found := verdict(plan, tallies):
            return found.answer, (now - NOW).total_seconds()
    return None, (now - NOW).total_seconds()


@pytest.mark.parametrize(
    ("value", "answer", "why"),
    [
        (0.95, PASS, "0.95"),
        (0.9, PASS, "0.9"),
        (0.89, FAIL, "0.89 is below min 0.9"),
        (2.5, FAIL, "2.5 is above max 2"),
        (math.nan, NO_DATA, "nan is not a number to compare"),
        (math.inf, NO_DATA, "inf is not a number to compare"),
        (None, NO_DATA, "the query gives nothing"),
    ],
)
def test_a_value_is_judged_by_its_limits(value, answer, why):
    reading = judge(metric(), "", value, "the query gives nothing" if value is None else "")
    assert (reading.answer, reading.why) == (answer, why)


@pytest.mark.parametrize(
    ("answers", "given", "found"),
    [
        ([PASS] * 5, {}, (PASS, 300)),
        ([PASS] * 4, {}, (None, 240)),
        ([PASS] * 3, {"every": "2m"}, (PASS, 300)),  # measured at 2, 4 and, because it ends, 5 minutes
        ([PASS], {"every": "10m"}, (PASS, 300)),
        ([FAIL], {}, (FAIL, 60)),
        ([PASS, FAIL, PASS, FAIL], {"failures": 2}, (FAIL, 240)),
        ([PASS, PASS, PASS, PASS, FAIL, PASS], {"failures": 2}, (PASS, 360)),  # at the end it has to pass
        ([NO_DATA] * 4, {}, (NO_DATA, 240)),
        ([NO_DATA, NO_DATA, NO_DATA, PASS, PASS], {}, (PASS, 300)),
        ([PASS, PASS, PASS, PASS, NO_DATA, PASS], {}, (PASS, 360)),
        ([PASS, PASS, PASS, PASS, NO_DATA, NO_DATA, NO_DATA, NO_DATA], {}, (NO_DATA, 480)),
    ],
)
def test_measurements_add_up_to_a_verdict(answers, given, found):
    assert measured(answers, **given) == found


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(Answer)), min_size=40, max_size=40), st.integers(1, 5))
def test_there_is_a_verdict_in_the_end_and_no_data_alone_is_neither_pass_nor_fail(answers, failures):
    found, seconds = measured(answers, failures=failures)
    taken = answers[: int(seconds // 60)]
    assert found is not None or NO_DATA in taken
    if found is PASS:
        assert taken[-1] is PASS
    if found is FAIL:
        assert taken.count(FAIL) == failures
    if found is NO_DATA:
        assert taken[-4:] == [NO_DATA] * 4


def test_what_was_not_asked_for_or_is_not_due_does_not_count():
    plan = rollout()
    early = NOW + timedelta(seconds=29)
    bad = (
        Reading(metric="success", service="cat", answer=FAIL),
        Reading(metric="success", service="dog", answer=FAIL),
        Reading(metric="other", answer=FAIL),
    )
    assert count(plan, {}, bad, NOW, END, early) == {}
    later = count(plan, {}, (bad[0], *bad), NOW, END, NOW + timedelta(seconds=30))
    assert {name: one.failed for name, one in later.items()} == {"success/cat": 1}


def test_a_failure_outweighs_what_is_not_known():
    plan = rollout()
    now = NOW
    tallies: Any = {}
    for _ in range(4):
        now += timedelta(seconds=60)
        silent = Reading(metric="success", service="cat", answer=NO_DATA, why="nothing")
        tallies = count(plan, tallies, (silent,), NOW, END, now)
    assert verdict(plan, tallies).answer is NO_DATA
    tallies = count(plan, tallies, (Reading(metric="queue", answer=FAIL, why="11 is above max 10"),), NOW, END, now)
    assert (verdict(plan, tallies).answer, verdict(plan, tallies).why) == (FAIL, "queue: 11 is above max 10")


def test_a_query_is_asked_for_each_service_where_it_names_one():
    named = [(ask.metric, ask.service) for ask in asks(rollout(), {}, NOW, END)]
    assert named == [("success", "cat"), ("success", "mouse"), ("queue", "")]
    assert [per_service(Metric.model_validate(one)) for one in METRICS] == [True, False]


def test_placeholders_are_filled():
    spec = group(GROUP.replace("host: mouse-svc", "host: mouse-svc.zoo").replace("v2: {", "v2: {workload: new, "))
    words = "{{ service }} {{version}} {{namespace}} {{workload}} {{host}} [{{interval}}]"
    asked = [query(metric(query=words), rollout(), spec, one) for one in ("cat", "mouse")]
    assert asked == [
        "cat v2 demo new cat-svc.demo.svc.cluster.local [1m]",
        "mouse v2 zoo new mouse-svc.zoo.svc.cluster.local [1m]",
    ]
    assert query(metric(query="x{ns='{{namespace}}'}[{{interval}}]", every="5m"), rollout(), spec) == "x{ns='demo'}[5m]"
    assert query(metric(query="[{{interval}}]", every="5m", interval="90s"), rollout(), spec) == "[1m30s]"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_asks_for_the_new_version_alone_and_leaves_no_placeholder(preset):
    asked = query(Metric(name="m", preset=preset, min=0), rollout(), group(), "cat")
    assert "{{" not in asked
    assert asked.count("(") == asked.count(")")
    assert asked.count("{") == asked.count("}")
    assert "v2" in asked
    assert "v1" not in asked
    assert "[1m]" in asked


def test_the_istio_preset_in_full():
    labels = 'reporter="source",destination_workload_namespace="demo",destination_workload="cat-v2"'
    assert query(Metric(name="m", preset="istio-success", min=0), rollout(), group(), "cat") == (
        f'(sum(rate(istio_requests_total{{{labels},response_code!~"5.."}}[1m])) or vector(0))'
        f" / (sum(rate(istio_requests_total{{{labels}}}[1m])))"
    )


def test_envoys_own_names_are_met_with_and_without_istios_tags():
    """As an Envoy 1.40 shows them at /stats/prometheus, for a cluster that istiod names."""
    asked = query(Metric(name="m", preset="envoy-success", min=0), rollout(), group(), "cat")
    assert r'cluster_name=~"outbound\\|[0-9]+\\|v2\\|cat-svc.demo.svc.cluster.local;?"' in asked
    assert '__name__=~"envoy_cluster_(demo_svc_cluster_local_+)?upstream_rq_xx"' in asked
    assert r'envoy_cluster_name=~"outbound\\|[0-9]+\\|v2\\|cat-svc"' in asked
