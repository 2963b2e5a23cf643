"""Which preview lanes are set aside for what keeps a plan from succeeding: those that it comes of, and no others."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from random_specs import SERVICES, specs
from rollout_world import GROUP, group
from two_backends import for_both

from meshconfig.cluster.change import OversizedError
from meshconfig.cluster.lowering import resources
from meshconfig.cluster.objects import BlockedError, Key, state
from meshconfig.cluster.owned import NotOurs
from meshconfig.compile import compile_group
from meshconfig.errors import InputError
from meshconfig.preview import aside
from meshconfig.preview.aside import culprits
from meshconfig.preview.overlay import Routed, with_previews
from meshconfig.spec import LaneGroup
from meshconfig.spec.preview import version_labels

START = datetime(2026, 1, 1, tzinfo=UTC)


def lane(name, *services, age=0, coming=False):
    """`age`: the lane that is older has the smaller one."""
    labels = {one: version_labels(name, one) for one in services}
    created = START + timedelta(minutes=age)
    return Routed(name, {}, labels, created) if coming else Routed(name, labels, created=created)


@st.composite
def lanes(draw):
    names = draw(st.lists(st.sampled_from(("pr-1", "pr-2", "pr-3", "pr-4")), min_size=1, unique=True))
    several = st.lists(st.sampled_from(SERVICES), min_size=1, max_size=2, unique=True)
    ages = st.integers(0, 9)
    return [lane(name, *draw(several), age=draw(ages), coming=draw(st.booleans())) for name in names]


def made(laid):
    return state(resources(compile_group(laid.spec), "v1"))


def hosts(backend):
    text = GROUP.replace("      routes:", '      laneHosts: "{lane}.cat.example.com"\n      routes:')
    for name in ("cat", "mouse", "dog"):
        text = text.replace(f"host: {name}-svc,", f"host: {name}-svc, selector: {{app: {name}}},")
    return group(text).of_backend(backend)


@settings(deadline=None, max_examples=25)
@given(specs(), lanes(), st.sampled_from(("istio", "gateway")), st.data())
def test_without_them_nothing_is_in_the_way_that_a_lane_adds_and_each_of_them_adds_some_of_it(
    value, given_lanes, backend, data
):
    try:
        spec = LaneGroup.model_validate(for_both(value)).of_backend(backend)
        bare, laid = made(with_previews(spec, ())), with_previews(spec, given_lanes)
    except (InputError, ValidationError):
        return
    every = made(laid)
    if not every:
        return
    blocked = data.draw(st.sets(st.sampled_from(sorted(every)), min_size=1, max_size=3))
    error = NotOurs("taken", {one: f"{one} is there already" for one in blocked})
    if blocked <= bare.keys():
        with pytest.raises(NotOurs):
            culprits(error, laid.spec, laid.lanes)
        return
    found = culprits(error, laid.spec, laid.lanes)
    left = with_previews(spec, given_lanes, found)
    assert not blocked & (made(left).keys() - bare.keys())
    assert found.items() <= left.refused.items()
    for name, said in found.items():
        alone = made(with_previews(spec, [one for one in given_lanes if one.name == name]))
        mine = blocked & (alone.keys() - bare.keys())
        assert any(str(one) in said for one in mine)


@pytest.mark.parametrize("backend", ["istio", "gateway"])
def test_what_the_group_itself_writes_is_no_lanes_doing(backend):
    laid = with_previews(hosts(backend), [lane("pr-1", "cat"), lane("pr-2", "cat")])
    kind = "VirtualService" if backend == "istio" else "HTTPRoute"
    error = BlockedError("refused", {Key(kind, "demo", "cat-svc"): "refused"})
    with pytest.raises(BlockedError) as same:
        culprits(error, laid.spec, laid.lanes)
    assert same.value is error
    error = BlockedError("refused", {**error.resources, Key(kind, "demo", "pr-2-cat-example-com"): "refused"})
    assert set(culprits(error, laid.spec, laid.lanes)) == {"pr-2"}


def test_an_error_without_a_resource_is_no_lanes_doing():
    laid = with_previews(hosts("istio"), [lane("pr-1", "cat")])
    with pytest.raises(BlockedError):
        culprits(BlockedError("no"), laid.spec, laid.lanes)


@pytest.mark.parametrize("backend", ["istio", "gateway"])
def test_of_more_lanes_than_a_resource_holds_the_newest_are_set_aside(backend, monkeypatch):
    """By when they were asked for, and not by their names: who was there first stays."""
    given_lanes = [lane(name, "cat", age=age) for name, age in (("pr-1", 3), ("pr-2", 1), ("pr-3", 0), ("pr-4", 2))]
    spec = hosts(backend)
    name = Key("VirtualService" if backend == "istio" else "HTTPRoute", "demo", "cat-svc")
    two = with_previews(spec, [one for one in given_lanes if one.name in ("pr-2", "pr-3")])
    monkeypatch.setattr(aside, "LARGEST", aside.size(made(two)[name]))
    laid = with_previews(spec, given_lanes)
    found = culprits(OversizedError("large", {name: f"{name} is large"}), laid.spec, laid.lanes)
    assert set(found) == {"pr-1", "pr-4"}
    assert "delete lanes" in found["pr-1"]
