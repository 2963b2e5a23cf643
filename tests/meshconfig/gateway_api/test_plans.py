"""Plans over the tables that HTTPRoutes are lifted to keep the promises of those over VirtualServices."""

import copy
import json
from random import Random

import pytest
from changing_specs import (
    changed,
    entry_baggage,
    every_service_moves,
    first_specs,
    lane_comes,
    lane_goes,
    lane_versions,
    outside_anew,
    outside_goes,
    service_rules,
    service_weights,
    tag_baggage,
    version_comes,
    version_goes,
    version_labels,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from plan_world import Moment, calls_in, covered, cut, from_outside, lost, mixed
from pydantic import ValidationError
from two_backends import compiled, for_both

from meshconfig.cluster.change.prepare import MovedUsersError, described_tables, steps_to
from meshconfig.cluster.lowering import lowering, resources
from meshconfig.cluster.objects import state
from meshconfig.cluster.plan import called
from meshconfig.errors import InputError

QUICK = settings(suppress_health_check=list(HealthCheck), max_examples=3, deadline=None)
LONG = settings(suppress_health_check=list(HealthCheck), max_examples=150, deadline=None)
EDITS = (
    lane_versions,
    lane_versions,
    lane_comes,
    lane_goes,
    service_weights,
    every_service_moves,
    service_rules,
    version_comes,
    version_goes,
    version_labels,
    entry_baggage,
    tag_baggage,
)
OUTSIDE = (outside_anew, outside_anew, outside_goes, lane_versions, lane_comes, lane_goes, every_service_moves)


def changeable(value):
    """A spec that the backend can express."""
    return for_both(copy.deepcopy(value))


def elsewhere(value):
    """The same with its entries in another namespace than its services, which have to be granted."""
    value["metadata"]["namespace"] = "edge"
    for one in value["spec"]["services"].values():
        if "external" not in one and "." not in one["host"]:
            one["host"] += ".demo"
    return value


def rendered(value):
    """(resources, model), or None where the backend refuses the spec."""
    try:
        model = compiled(value, "gateway")
        described_tables(model, lowering(model, "v1"))
        return state(resources(model, "v1")), model
    except (InputError, ValidationError):
        return None


@st.composite
def histories(draw, length, edits=EDITS, *, granted=False):
    prepared = (lambda value: elsewhere(changeable(value))) if granted else changeable
    values = [prepared(draw(first_specs(outside=edits is OUTSIDE)))]
    assume(rendered(values[0]))
    for _ in range(length - 1):
        values.append(prepared(draw(changed(values[-1], edits))))
        assume(rendered(values[-1]))
    return History(values)


class History(list):
    """Of each spec (resources, model)."""

    def __init__(self, values):
        super().__init__(map(rendered, values))
        self.values = values

    def __repr__(self):
        return "\n---\n".join(json.dumps(one["spec"]) for one in self.values)


def planned(live, model, **options):
    """The plan from resources to a model."""
    lower = lowering(model, "v1")
    return steps_to(described_tables(model, lower), live, model, lower, **{"fast": False, "settled": True, **options})


def moments(random, made, live, wanted, hosts):
    states = [live, *made.states(live)]
    for before, after, step in zip(states, states[1:], made.steps, strict=False):
        partial = cut(random, before, step, random.randint(0, 3))
        yield Moment(after, step.barrier, step.drain, (partial,), hosts, 2 if made.consistent else 1)


def check_that_no_chain_mixes(history, requests, seed):
    (live, _), (wanted, model) = history
    try:
        made = planned(live, model)
    except (InputError, MovedUsersError):
        assume(False)
    assert (made.states(live)[-1] if made.steps else live) == wanted
    assert bool(made.steps) == (live != wanted)
    timeline = [Moment(live), *moments(Random(seed), made, live, wanted, calls_in(made, live, wanted, called(model)))]
    told = (made.consistent, made.reasons, [step.title for step in made.steps])
    assert not next(lost(timeline), None), told
    for one in [one for one in requests if covered(one, history.values)]:
        assert not next(mixed(timeline, [live, wanted], one), None), (told, one)


REQUESTS = st.lists(from_outside(), min_size=2, max_size=3)


@QUICK
@given(histories(2), REQUESTS, st.integers(0))
def test_no_chain_mixes_old_and_new(history, requests, seed):
    check_that_no_chain_mixes(history, requests, seed)


@QUICK
@given(histories(2, OUTSIDE), REQUESTS, st.integers(0))
def test_no_chain_mixes_where_hosts_outside_the_mesh_change(history, requests, seed):
    check_that_no_chain_mixes(history, requests, seed)


@pytest.mark.slow
@QUICK
@given(histories(2, granted=True), REQUESTS, st.integers(0))
def test_no_chain_mixes_and_none_is_without_leave_where_services_are_elsewhere(history, requests, seed):
    check_that_no_chain_mixes(history, requests, seed)


@pytest.mark.slow
@LONG
@given(st.one_of(histories(2), histories(2, OUTSIDE), histories(2, granted=True)), REQUESTS, st.integers(0))
def test_no_chain_mixes_old_and_new_whatever_changes(history, requests, seed):
    check_that_no_chain_mixes(history, requests, seed)


@pytest.mark.slow
@LONG
@given(st.one_of(histories(3), histories(3, OUTSIDE), histories(3, granted=True)), REQUESTS, st.integers(0, 999))
def test_no_chain_mixes_where_a_change_is_cut_off_and_another_follows(history, requests, seed):
    (first, _), (second, then), (third, last) = history
    random = Random(seed)
    try:
        made = planned(first, then)
        assume(made.steps)
        number = random.randrange(len(made.steps))
        step = made.steps[number]
        before = [Moment(first), *moments(random, made, first, second, calls_in(made, first, second, called(then)))]
        count = random.randint(0, sum(map(len, step.waves)) + len(step.deletes))
        left = cut(random, before[number].state, step, count)
        again = planned(left, last, settled=False)
    except (InputError, MovedUsersError):
        assume(False)
    assert not again.steps or again.states(left)[-1] == third
    begun = before[number + 1]
    killed = Moment(left, False, False, (), begun.hosts, begun.times)
    following = moments(random, again, left, third, calls_in(again, left, third, called(last)))
    timeline = [*before[: number + 1], killed, *following]
    assert not next(lost(timeline), None)
    for one in [one for one in requests if covered(one, history.values)]:
        assert not next(mixed(timeline, [first, second, third], one), None), one
