"""A move to the other backend changes no answer, wherever it is cut off, and leads nowhere unknown to a proxy."""

import copy
import json
from random import Random

import pytest
from changing_specs import first_specs
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from moving_world import at_the_edge, lost_tls, moments, wrong
from plan_world import Moment, cut, lost
from pydantic import ValidationError
from random_specs import asked
from two_backends import BothBackends, for_both

from meshconfig.cluster.change.moving import check_movable, plan_move
from meshconfig.cluster.change.prepare import described_tables
from meshconfig.cluster.history import Past
from meshconfig.cluster.lowering import lowering, resources
from meshconfig.cluster.objects import state
from meshconfig.cluster.plan.move import BACKENDS, other
from meshconfig.errors import InputError

QUICK = settings(suppress_health_check=list(HealthCheck), max_examples=4, deadline=None)
LONG = settings(suppress_health_check=list(HealthCheck), max_examples=120, deadline=None)
REQUESTS = st.lists(asked(), min_size=1, max_size=3)


class Group:
    """A group in both backends, and the plans of its moves."""

    def __init__(self, value):
        self.value = value
        self.both = BothBackends(value)
        self.states = {name: state(resources(self.both.models[name], "v1")) for name in BACKENDS}

    def __repr__(self):
        return json.dumps(self.value["spec"])

    def move(self, live, to, *, settled=True):
        model = self.both.models[to]
        check_movable(None, model, live, self.states[to], self.states[other(to)], Past("demo", "random", ()))
        return plan_move(model, described_tables(model, lowering(model, "v1")), live, self.states[to], settled=settled)


@st.composite
def movable(draw):
    value = at_the_edge(for_both(copy.deepcopy(draw(first_specs(outside=draw(st.booleans()))))))
    try:
        group = Group(value)
        for to in BACKENDS:
            group.move(group.states[other(to)], to)
    except (InputError, ValidationError):
        assume(False)
    return group


def check_a_move(group, to, requests, seed):
    live = group.states[other(to)]
    made = group.move(live, to)
    assert made.states(live)[-1] == group.states[to]
    timeline = [Moment(live), *moments(Random(seed), made, live)]
    assert not next(lost(timeline), None)
    assert not next(lost_tls(group.both, timeline), None)
    found = next(wrong(group.both, timeline, requests), None)
    assert not found, (found, [step.title for step in made.steps])


def check_a_move_that_is_cut_off(group, to, then, requests, seed):
    random, first = Random(seed), group.states[other(to)]
    made = group.move(first, to)
    before = [Moment(first), *moments(random, made, first)]
    number = random.randrange(len(made.steps))
    step = made.steps[number]
    left = cut(random, before[number].state, step, random.randint(0, sum(map(len, step.waves)) + len(step.deletes)))
    again = group.move(left, then, settled=False)
    assert (again.states(left)[-1] if again.steps else left) == group.states[then]
    timeline = [*before[: number + 1], Moment(left, False, False), *moments(random, again, left)]
    assert not next(lost(timeline), None)
    assert not next(lost_tls(group.both, timeline), None)
    found = next(wrong(group.both, timeline, requests), None)
    assert not found, (found, [step.title for step in made.steps])


@QUICK
@given(movable(), st.sampled_from(BACKENDS), REQUESTS, st.integers(0))
def test_a_move_changes_no_answer(group, to, requests, seed):
    check_a_move(group, to, requests, seed)


@pytest.mark.slow
@QUICK
@given(movable(), st.sampled_from(BACKENDS), st.sampled_from(BACKENDS), REQUESTS, st.integers(0))
def test_a_move_that_is_cut_off_is_continued_or_taken_back(group, to, then, requests, seed):
    check_a_move_that_is_cut_off(group, to, then, requests, seed)


@pytest.mark.slow
@LONG
@given(movable(), st.sampled_from(BACKENDS), st.sampled_from(BACKENDS), REQUESTS, st.integers(0))
def test_moves_change_no_answer_at_length(group, to, then, requests, seed):
    check_a_move(group, to, requests, seed)
    check_a_move_that_is_cut_off(group, to, then, requests, seed)
