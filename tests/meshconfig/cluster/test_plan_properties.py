"""Whatever changes into whatever, and wherever it is cut off: no request meets half of the old and half of the new."""

from random import Random

import pytest
from changing_specs import hints, histories, lane_comes, lane_goes, plan
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from plan_world import Moment, calls_in, covered, cut, from_outside, lost, mixed

from meshconfig.cluster.plan import called
from meshconfig.istio import Resources
from meshconfig.lint import Index, Level, lint

SOME = settings(suppress_health_check=list(HealthCheck))


def moments(random, made, live, wanted, called):
    """A plan as moments, and for each step a state of its half-done writes."""
    hosts = calls_in(made, live, wanted, called)
    states = [live, *made.states(live)]
    for before, after, step in zip(states, states[1:], made.steps, strict=False):
        partial = cut(random, before, step, random.randint(0, 3))
        yield Moment(after, step.barrier, step.drain, (partial,), hosts, 2 if made.consistent else 1)


def told(*plans):
    """Plans in words."""
    return [(one.consistent, one.reasons, [step.title for step in one.steps]) for one in plans]


LANES_ALONE = histories(2, (lane_comes, lane_goes))


@SOME
@given(
    st.one_of(histories(2), histories(2), LANES_ALONE), st.lists(from_outside(), min_size=2, max_size=4), st.integers(0)
)
def test_no_chain_mixes_old_and_new(history, requests, seed):
    (live, _), (wanted, model) = history
    made = plan(live, wanted, **hints(model), settled=True)
    timeline = [Moment(live), *moments(Random(seed), made, live, wanted, called(model))]
    for one in requests:
        if covered(one, history.values):
            assert not next(mixed(timeline, [live, wanted], one), None), (told(made), one)


@pytest.mark.slow
@SOME
@given(histories(3), st.booleans(), st.lists(from_outside(), min_size=2, max_size=3), st.integers(0, 999))
def test_no_chain_mixes_where_a_change_is_cut_off_and_another_follows(history, repeated, requests, seed):
    (first, _), (second, then), (third, last) = history
    third, last = (second, then) if repeated else (third, last)
    random = Random(seed)
    made = plan(first, second, **hints(then), settled=True)
    assume(made.steps)
    before = [Moment(first), *moments(random, made, first, second, called(then))]
    number = random.randrange(len(made.steps))
    step, begun = made.steps[number], before[number + 1]
    left = cut(random, before[number].state, step, random.randint(0, sum(map(len, step.waves)) + len(step.deletes)))
    again = plan(left, third, **hints(last))
    assert not again.steps or again.states(left)[-1] == third
    killed = Moment(left, False, False, (), begun.hosts, begun.times)
    timeline = [*before[: number + 1], killed, *moments(random, again, left, third, called(last))]
    assert not next(lost(timeline), None), told(made, again)
    for one in requests:
        found = next(mixed(timeline, [first, second, third], one), None) if covered(one, history.values) else None
        assert not found, (found, one, number, told(made, again))


@SOME
@given(histories(2), st.booleans(), st.booleans())
def test_a_plan_ends_in_what_is_wanted_and_never_leads_nowhere(history, fast, settled):
    (live, _), (wanted, model) = history
    made = plan(live, wanted, **hints(model), fast=fast, settled=settled)
    assert made == plan(live, wanted, **hints(model), fast=fast, settled=settled)
    states = made.states(live)
    assert (states[-1] if states else live) == wanted
    assert bool(made.steps) == (live != wanted)
    timeline = [Moment(live), *(Moment(s, one.barrier, one.drain) for s, one in zip(states, made.steps, strict=True))]
    assert not next(lost(timeline), None), told(made)
    assert not plan(wanted, wanted, **hints(model)).steps


@pytest.mark.slow
@SOME
@given(histories(2))
def test_lint_finds_nothing_on_the_way_that_neither_end_has(history):
    (live, _), (wanted, model) = history
    made = plan(live, wanted, **hints(model))
    known = findings(live) | findings(wanted)
    joining = {str(name) for name in wanted if name not in live}
    for step, state in zip(made.steps, made.states(live), strict=True):
        # A service that joins goes on as before it did, to all of its Pods, until all change: that is GL211. A subset
        # that gets other Pods stands under a second name until then: that is GL305.
        new = findings(state) - known
        assert not {one for one in new if one[0] != "GL305" and (one[0] != "GL211" or one[1] not in joining)}, (
            step.title
        )


# Of two equal rules, the second is dead: as a repeated one at both ends, and on the way behind a wider one, since the
# routes of one end stand before those of the other.
DEAD = {"GL203": "GL202"}


def findings(state):
    resources = Resources.parse(state.values())
    found = lint(Index(resources, (), resources))
    return {(DEAD.get(one.code, one.code), one.resource) for one in found if one.level.reaches(Level.WARNING)}
