"""Preview lanes over any group: they change nothing of what is Git's, hinder nobody, and come off without a trace."""

from hypothesis import given, settings
from hypothesis import strategies as st
from random_specs import SERVICES, specs
from rollout_world import group

from meshconfig.compile import compile_group, problems
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.preview.overlay import Routed, with_previews
from meshconfig.render import to_yaml
from meshconfig.spec.preview import version_labels, without_previews

NAMES = ("pr-1", "pr-2", "pr-42", "gray", "prod", "no_label", "x" * 60)


@st.composite
def lanes(draw):
    names = draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True))
    found = []
    for name in names:
        services = draw(st.lists(st.sampled_from((*SERVICES, "nothing")), min_size=1, max_size=3, unique=True))
        own = draw(st.booleans())
        found.append(
            Routed(name, {one: version_labels(name, one) if own else {"version": "alice"} for one in services})
        )
    return found


def compiled(value):
    try:
        return groups(parse(to_yaml([value]), "in.yaml"))[0].spec
    except InputError:
        return None


@settings(deadline=None, max_examples=30)
@given(specs(), lanes(), st.randoms())
def test_lanes_lie_over_a_group_and_change_nothing_of_it(value, given_lanes, random):
    spec = compiled(value)
    if spec is None:
        return
    found = with_previews(spec, given_lanes)
    assert found.over.keys() | found.refused.keys() == {one.name for one in given_lanes}
    assert not found.over.keys() & found.refused.keys()
    compile_group(found.spec)
    for name, service in spec.spec.services.items():
        here, before = found.spec.service(name), spec.service(name)
        assert (here.baseline, here.spec.weights, here.spec.rules) == (before.baseline, service.weights, service.rules)
        assert [here.version_in(lane) for lane in spec.spec.lanes] == [
            before.version_in(lane) for lane in spec.spec.lanes
        ]
        for lane, one in found.over.items():
            own = here.version_in(lane)
            assert own == (lane if name in one.versions else None)
            if own:
                assert here.spec.versions[own].labels == one.versions[name]
    assert without_previews(found.spec) == spec
    shuffled = list(given_lanes)
    random.shuffle(shuffled)
    assert with_previews(spec, shuffled) == found


@given(lanes())
def test_a_lane_that_does_not_fit_leaves_the_others(given_lanes):
    spec = group()
    for one in given_lanes:
        alone = with_previews(spec, [one])
        if one.name in alone.over:
            assert one.name in with_previews(spec, given_lanes).over


def test_why_a_lane_is_refused_is_said():
    spec = group()

    def why(name, *services):
        return with_previews(spec, [Routed(name, {one: {"v": "x"} for one in services})]).refused[name]

    assert why("gray", "cat") == "the group itself has a lane gray: give the preview lane another name"
    assert why("v1", "cat") == "service cat itself has a version v1: give the preview lane another name"
    assert why("pr-1", "cot") == "the group has no service cot; did you mean cat?"
    assert "may have 57" in why("x" * 60, "cat")


def test_a_lane_that_falls_back_at_run_time_needs_its_labels_before_there_is_a_third_version():
    text = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes: {prod: {}, gray: {fallback: runtime}}
  services:
    cat: {host: cat-svc, port: 80, versions: {prod: {labels: {v: p}}, gray: {labels: {v: g}}}}
"""
    found = with_previews(group(text), [Routed("pr-1", {"cat": {"v": "x"}})])
    assert "fallbackLabels" in found.refused["pr-1"]
    assert not list(problems(found.spec))
