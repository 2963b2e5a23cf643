"""The LaneGroup of each step: who gets which version, and what is left when it is over."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollout_world import GROUP, Run, group, rollout

from meshconfig.cluster.workloads.live import deployment
from meshconfig.compile import compile_group, problems
from meshconfig.istio import Resources
from meshconfig.render import render
from meshconfig.rollout.actions import Retire, Route, Scale, VersionScale
from meshconfig.rollout.events import Abort, Approve, Pause
from meshconfig.rollout.state import Stage
from meshconfig.rollout.steps import at_weight, autoscaled, ended, taken_over
from meshconfig.rollout.steps import wanted as group_after
from meshconfig.simulate import ANY_GATEWAY, Destination, Request, follow

CHAIN = [(f"{name}-svc.demo.svc.cluster.local", 9001) for name in ("cat", "mouse", "dog")]
AT_ENTRY = rollout(entry="cat.example.com")
OLD, NEW = ("cat/v1", "mouse/v1", "dog/prod"), ("cat/v2", "mouse/v2", "dog/prod")
GRAY, PROD = (("env", "gray"),), (("env", "prod"),)


def rendered(spec):
    return render([compile_group(spec)])


def chains(spec, headers=()):
    """Versions along the chain → the share of requests."""
    request = Request("cat.example.com", headers=headers, gateway=ANY_GATEWAY)
    return {_names(way): way.probability for way in follow(Resources.parse(rendered(spec)), request, CHAIN)}


def _names(way):
    assert all(isinstance(one, Destination) for one in way.outcomes)
    return tuple(f"{one.host.partition('-svc')[0]}/{one.subset}" for one in way.outcomes)


def wanted(base, run):
    """The group as the last change that it asked for makes it."""
    changes = [one.change for one in run.asked if isinstance(one, Scale | Route | Retire)]
    return group_after(base, run.state.rollout, changes[-1])


def test_weights_move_each_service_by_itself():
    found = chains(at_weight(group(), rollout(), 25))
    shares = {versions: found[versions] for versions in (OLD, NEW)}
    assert shares == {OLD: Fraction(9, 16), NEW: Fraction(1, 16)}
    assert len(found) == 4


@settings(deadline=None)
@given(st.integers(1, 99))
def test_a_split_at_the_entry_never_mixes_versions(weight):
    found = chains(at_weight(group(), AT_ENTRY, weight))
    assert found == {OLD: Fraction(100 - weight, 100), NEW: Fraction(weight, 100)}


@pytest.mark.parametrize("plan", [rollout(), AT_ENTRY])
@pytest.mark.parametrize("weight", [0, 1, 50, 100])
def test_a_header_beats_every_weight(plan, weight):
    spec = at_weight(group(), plan, weight)
    assert chains(spec, GRAY) == {NEW: 1}
    assert chains(spec, PROD) == {OLD: 1}


@pytest.mark.parametrize("plan", [rollout(), AT_ENTRY])
def test_at_0_the_group_is_as_it_was_and_at_100_all_is_new(plan):
    assert rendered(at_weight(group(), plan, 0)) == rendered(group())
    assert chains(at_weight(group(), plan, 100)) == {NEW: 1}


@pytest.mark.parametrize("plan", [rollout(), AT_ENTRY])
def test_the_takeover_makes_the_new_the_baselines(plan):
    spec = taken_over(group(), plan)
    for headers in ((), GRAY, PROD):
        assert chains(spec, headers) == {NEW: 1}
    assert spec.spec.lanes["prod"].versions == {"cat": "v2", "mouse": "v2"}
    assert spec.spec.services["cat"].weights is None
    assert spec.spec.entries[0].split is None
    assert set(spec.spec.services["cat"].versions) == {"v1", "v2"}


def test_the_end_is_the_group_that_a_person_would_write():
    by_hand = GROUP.replace("prod: {versions: {cat: v1, mouse: v1}}", "prod: {versions: {cat: v2, mouse: v2}}")
    by_hand = by_hand.replace("v1: {labels: {v: v1}}, ", "")
    assert rendered(ended(group(), rollout())) == rendered(group(by_hand))
    assert set(ended(group(), rollout(keepOld=None)).spec.services["cat"].versions) == {"v1", "v2"}


UNTAGGED = {
    "default: v1": "default: v2",
    "weights: {v1: 100}": "default: v2",
    "weights: {v1: 1, v2: 0}": "default: v2",
}


@pytest.mark.parametrize("now", UNTAGGED)
def test_a_service_without_lanes_keeps_the_form_it_has(now):
    text = GROUP.replace("prod: {versions: {cat: v1, mouse: v1}}", "prod: {}")
    text = text.replace("port: 9001, calls", f"port: 9001, {now}, calls")
    plan = rollout()
    half = at_weight(group(text), plan, 50)
    assert not list(problems(half))
    assert half.spec.services["cat"].weights == {"v1": 50, "v2": 50}
    expected = group(text.replace(now, UNTAGGED[now]))
    assert rendered(taken_over(group(text), plan)) == rendered(expected)


def test_a_version_of_the_baselines_name_needs_no_word():
    text = GROUP.replace("v2: {labels: {v: v2}}", "prod: {labels: {v: v2}}", 1).replace("{cat: v2", "{cat: prod")
    spec = taken_over(group(text), rollout(services={"cat": {"from": "v1", "to": "prod"}}))
    assert spec.spec.lanes["prod"].versions == {"mouse": "v1"}


SCALED = GROUP.replace("v1: {labels: {v: v1}}", "v1: {labels: {v: v1}, autoscale: {min: 4, max: 10}}").replace(
    "v2: {labels: {v: v2}}", "v2: {labels: {v: v2}, workload: cat-new, autoscale: {min: 1, max: 3, cpu: 60}}", 1
)


def bounds(spec, version):
    scale = spec.spec.services["cat"].versions[version].autoscale
    return scale.min, scale.max, scale.cpu


def test_with_an_autoscaler_its_bounds_move_instead():
    base = group(SCALED)
    run = Run(rollout([{"weight": 50, "replicas": "50%"}, {"pause": {}}, {"weight": 100}])).start()
    scale = VersionScale("cat", "v2", 4, at_least=True)
    assert scale in run.actions[0].versions
    assert autoscaled(base, scale)
    assert not autoscaled(group(), scale)
    assert deployment(base, "cat", "v2") == ("Deployment", "demo", "cat-new")
    assert deployment(base, "cat", "v1") == ("Deployment", "demo", "cat-v1")
    assert bounds(wanted(base, run), "v2") == (4, 4, 60)
    assert bounds(wanted(base, run), "v1") == (4, 10, 80)
    run.until(Stage.APPROVAL)
    assert bounds(wanted(base, run), "v1") == (4, 10, 80)
    run.send(Abort("eva"))
    assert bounds(wanted(base, run), "v2") == (4, 4, 60)  # routes first
    assert rendered(wanted(base, run.until(Stage.PODS_BACK))) == rendered(base)


def test_an_old_autoscaler_may_go_down_with_its_share():
    run = Run(rollout([{"weight": 75, "replicas": "75%"}, {"pause": {}}, {"weight": 100}])).start()
    assert bounds(wanted(group(SCALED), run.until(Stage.APPROVAL)), "v1") == (2, 10, 80)


def test_an_autoscaler_that_has_enough_stays():
    """The new one is never lowered, the old one never raised."""
    text = SCALED.replace("autoscale: {min: 1, max: 3, cpu: 60}", "autoscale: {min: 5, max: 9}")
    run = Run(rollout([{"weight": 25, "replicas": "25%"}, {"pause": {}}, {"weight": 100}])).start()
    run.until(Stage.APPROVAL)
    assert run.state.pods["cat"] == {"v1": 6, "v2": 2}
    spec = wanted(group(text), run)
    assert (bounds(spec, "v2"), bounds(spec, "v1")) == ((5, 9, 80), (4, 10, 80))


def test_routes_stay_until_the_pods_are_there():
    run = Run().start()
    assert rendered(wanted(group(), run)) == rendered(group())
    run.obey()
    assert wanted(group(), run).spec.services["cat"].weights == {"v1": 90, "v2": 10}
    run.until(Stage.APPROVAL).send(Approve("eva")).until(Stage.WAIT).send(Approve("eva"))
    assert (run.state.stage, run.state.weight) == (Stage.SCALE, 100)
    assert wanted(group(), run).spec.services["cat"].weights == {"v1": 50, "v2": 50}
    run.until(Stage.KEEP)
    assert rendered(wanted(group(), run)) == rendered(taken_over(group(), rollout()))
    run.until(Stage.RETIRE)
    assert rendered(wanted(group(), run)) == rendered(ended(group(), rollout()))


def test_a_pause_while_pods_come_up_does_not_move_requests():
    run = Run().start().send(Pause("eva"))
    assert rendered(wanted(group(), run)) == rendered(group())


def test_a_rollback_while_the_old_is_kept_leads_back_to_it():
    run = Run().start().until(Stage.APPROVAL).send(Approve("eva")).until(Stage.KEEP).send(Abort("eva"))
    assert rendered(wanted(group(), run)) == rendered(group())
