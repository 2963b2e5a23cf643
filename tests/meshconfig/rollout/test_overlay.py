"""What is wanted of a group beside Git: rollouts lie over it, and what Git changes elsewhere is laid under them."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollout_world import GROUP, Run, group, rollout

from meshconfig.compile import problems
from meshconfig.rollout import steps
from meshconfig.rollout.events import Abort, Approve, Rollback
from meshconfig.rollout.overlay import overlay, settled, standing, to_commit
from meshconfig.rollout.state import Stage, State
from meshconfig.spec.group import LaneGroup

SHORT = [{"weight": 50, "replicas": "50%"}, {"pause": {}}, {"weight": 100}]
SPLIT = {"entry": "cat.example.com"}
ON_ITS_WAY = (Stage.SCALE, Stage.ROUTE, Stage.SHRINK, Stage.APPROVAL, Stage.TAKE_OVER, Stage.KEEP, Stage.RETIRE)
ELSEWHERE = {
    "nothing": ("kind", "kind"),
    "a host": ("[cat.example.com]", "[cat.example.com, dog.example.com]"),
    "another service": ("dog-svc, port: 9001", "dog-svc, port: 9002"),
    "a lane": ("gray: {", "blue: {}\n    gray: {"),
    "a third version": ("v2: {labels: {v: v2}}}}", "v2: {labels: {v: v2}}, v3: {labels: {v: v3}}}}"),
    "an autoscaler's bounds": ("v2: {labels: {v: v2}}", "v2: {labels: {v: v2}, autoscale: {min: 1, max: 9}}"),
}
AGAINST = {
    "the baseline of one service": ("cat: v1, mouse: v1", "cat: v2, mouse: v1"),
    "weights": ("calls: [mouse], versions", "calls: [mouse], weights: {v1: 1, v2: 1}, versions"),
    "a default": ("calls: [dog], versions", "calls: [dog], default: v2, versions"),
    "a rule": (
        "calls: [mouse], versions",
        "calls: [mouse], rules: [{match: {headers: {x: {exact: a}}}, weights: {v2: 1}}], versions",
    ),
    "the labels of a version": ("v2: {labels: {v: v2}}", "v2: {labels: {v: other}}"),
    "a version that is gone": (", v2: {labels: {v: v2}}", ""),
}
NAMES_TO = ("cat: v1, mouse: v1", "cat: v2, mouse: v2")


@dataclass
class Laid:
    state: State
    base: LaneGroup | None


def edited(change, text=GROUP):
    assert change[0] in text
    text = text.replace(*change)
    # A lane of a version that is gone would not compile.
    return group(text.replace("    gray: {versions: {cat: v2, mouse: v2}}\n", "") if not change[1] else text)


@st.composite
def active(draw):
    """A rollout anywhere on its way, by weights or by a split."""
    more = draw(st.sampled_from([{}, SPLIT]))
    stage = draw(st.sampled_from(ON_ITS_WAY))
    run = Run(rollout(SHORT, **more)).start()
    if stage in (Stage.TAKE_OVER, Stage.KEEP, Stage.RETIRE):
        run.until(Stage.APPROVAL).send(Approve("eva"))
    return Laid(run.until(stage).state, group())


@given(active(), st.sampled_from(sorted(ELSEWHERE)))
def test_what_git_changes_elsewhere_is_laid_under_an_active_rollout(one, name):
    spec = edited(ELSEWHERE[name])
    found = overlay(spec, [one])
    assert (found.contradiction, found.active, found.rollouts) == (None, "cat-v2", ("cat-v2",))
    assert found.spec == steps.wanted(spec, one.state.rollout, standing(one.state))
    assert not list(problems(found.spec, stored=True))


@given(active(), st.sampled_from(sorted(AGAINST)))
def test_a_contradiction_leaves_what_the_rollout_moves_as_it_is(one, name):
    found = overlay(edited(AGAINST[name]), [one])
    assert "graylane rollout abort cat-v2 -n demo" in found.contradiction
    before = steps.wanted(group(), one.state.rollout, standing(one.state))
    for service in one.state.rollout.spec.services:
        assert found.spec.spec.services[service] == before.spec.services[service]
    assert not list(problems(found.spec, stored=True))


@given(active())
def test_git_may_name_the_new_version_before_the_rollout_gets_there(one):
    """What untagged requests get stays what the rollout says."""
    found = overlay(edited(NAMES_TO), [one])
    assert found.contradiction is None
    assert found.spec == steps.wanted(group(), one.state.rollout, standing(one.state))


@given(
    st.sampled_from([Stage.SCALE, Stage.ROUTE, Stage.APPROVAL]),
    st.sampled_from([Abort, Rollback]),
    st.sampled_from(sorted({**ELSEWHERE, **AGAINST, "the new version": NAMES_TO})),
)
def test_the_way_back_leads_to_what_git_says(stage, event, name):
    run = Run(rollout([{"weight": 10}, {"pause": {}}, {"weight": 100}])).start().until(stage).send(event("eva"))
    spec = edited({**ELSEWHERE, **AGAINST, "the new version": NAMES_TO}[name])
    found = overlay(spec, [Laid(run.state, group())])
    assert found.contradiction is None
    without = spec.model_dump(exclude_unset=True)
    assert {**found.spec.model_dump(exclude_unset=True), "spec": 0} == {**without, "spec": 0}
    assert found.spec.spec.lanes == spec.spec.lanes
    for service in spec.spec.services:
        assert found.spec.spec.services[service].weights == spec.spec.services[service].weights


def succeeded(*, keep_old=None, **more):
    run = Run(rollout([{"weight": 100}], keepOld=keep_old, **more)).start().until(Stage.SUCCEEDED)
    return Laid(run.state, group())


@pytest.mark.parametrize("keep_old", [None, "0s"])
@pytest.mark.parametrize("name", [name for name in ELSEWHERE if "autoscaler" not in name])
def test_a_success_lies_over_git_until_git_names_the_new_version(keep_old, name):
    one, spec = succeeded(keep_old=keep_old), edited(ELSEWHERE[name])
    found = overlay(spec, [one])
    assert (found.rollouts, found.active, found.done) == (("cat-v2",), None, ())
    assert found.spec == steps.ended(spec, one.state.rollout) == settled(spec, [one])
    after = edited(NAMES_TO)
    assert overlay(after, [one]).spec == after
    assert overlay(after, [one]).done == ("cat-v2",)


def test_where_git_names_the_new_version_of_one_service_the_other_one_is_laid_over_it():
    found = overlay(edited(("cat: v1, mouse: v1", "cat: v2, mouse: v1")), [succeeded()])
    assert (found.rollouts, found.done) == (("cat-v2",), ())
    assert found.spec == edited(NAMES_TO)


def test_a_lane_that_git_gives_an_old_version_keeps_it():
    spec = edited(("gray: {", "old: {versions: {cat: v1, mouse: v1}}\n    gray: {"))
    found = overlay(spec, [succeeded(keep_old="0s")])
    assert found.spec == steps.taken_over(spec, rollout(SHORT))


def test_one_that_is_done_with_lies_over_nothing_again():
    one = succeeded()
    one.state = one.state.model_copy(update={"done": True})
    assert overlay(group(), [one]).spec == group()


def test_of_an_ended_or_a_waiting_rollout_nothing_lies_over_it():
    run = Run(rollout(SHORT)).start().until(Stage.APPROVAL).send(Abort("eva")).until(Stage.ABORTED)
    waiting = Laid(Run(rollout(SHORT)).state, None)
    found = overlay(group(), [Laid(run.state, group()), waiting])
    assert (found.spec, found.rollouts, found.active) == (group(), (), None)


def named(one, name, services):
    metadata = one.state.rollout.metadata.model_copy(update={"name": name})
    spec = one.state.rollout.spec.model_copy(update={"services": services})
    plan = one.state.rollout.model_copy(update={"metadata": metadata, "spec": spec})
    return Laid(one.state.model_copy(update={"rollout": plan}), one.base)


@given(st.permutations(range(3)), active())
def test_an_active_one_lies_over_those_that_have_succeeded_in_any_order(order, one):
    text = GROUP.replace("{prod: {labels: {v: prod}}}", "{prod: {labels: {v: prod}}, new: {labels: {v: new}}}")
    dog = succeeded(services={"dog": {"from": "prod", "to": "new"}})
    dog = named(dog, "dog-new", dog.state.rollout.spec.services)
    aborted = named(succeeded(), "other", dog.state.rollout.spec.services)
    aborted.state = aborted.state.model_copy(update={"stage": Stage.ABORTED})
    one.base = settled(group(text), [dog])
    found = overlay(group(text), [[one, dog, aborted][number] for number in order])
    assert (found.rollouts, found.active) == (("dog-new", "cat-v2"), "cat-v2")
    assert found.spec == steps.wanted(one.base, one.state.rollout, standing(one.state))


def test_what_to_commit_names_the_fields():
    plan = rollout(SHORT)
    assert to_commit(plan, group(), retired=False) == (
        "spec.lanes.prod.versions.cat: v2, spec.lanes.prod.versions.mouse: v2"
    )
    by_default = group(
        GROUP.replace("cat: v1, mouse: v1", "mouse: v1").replace("[mouse], v", "[mouse], default: v1, v")
    )
    assert to_commit(plan, by_default, retired=True).split(", ") == [
        "spec.services.cat.default: v2",
        "no spec.services.cat.versions.v1",
        "spec.lanes.prod.versions.mouse: v2",
        "no spec.services.mouse.versions.v1",
    ]
