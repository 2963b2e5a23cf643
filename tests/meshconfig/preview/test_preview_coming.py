"""Preview lanes whose Pods are not ready yet: their versions stand beside what is there, and no route changes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from random_specs import SERVICES, specs
from rollout_world import GROUP, group
from two_backends import for_both

from meshconfig.cluster.change.prepare import described_tables, steps_to
from meshconfig.cluster.lowering import lowering, resources
from meshconfig.cluster.objects import state
from meshconfig.compile import compile_group
from meshconfig.errors import InputError
from meshconfig.istio import Resources
from meshconfig.lint import Index, lint
from meshconfig.preview.overlay import Routed, with_previews
from meshconfig.spec import LaneGroup
from meshconfig.spec.preview import version_labels, without_previews

BACKENDS = ("istio", "gateway")
RUNTIME = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes: {prod: {}, gray: {fallback: runtime}}
  services:
    cat:
      host: cat-svc
      port: 80
      versions: {prod: {labels: {v: p}, fallbackLabels: {a: b}}, gray: {labels: {v: g}, fallbackLabels: {a: b}}}
"""


def versions(name, services):
    return {one: version_labels(name, one) for one in services}


def ready(name, *services):
    return Routed(name, versions(name, services))


def coming(name, *services):
    return Routed(name, {}, versions(name, services))


@st.composite
def lanes(draw, of):
    names = draw(st.lists(st.sampled_from(("pr-1", "pr-2", "pr-3", "gray", "no_label")), min_size=1, unique=True))
    known = st.lists(st.sampled_from((*SERVICES, "nothing")), min_size=1, max_size=3, unique=True)
    return [of(name, *draw(known)) for name in names]


def made(spec):
    """The resources of a group, by name."""
    return state(resources(compile_group(spec), "v1"))


def planned(before, after):
    """The steps from one group to another."""
    model = compile_group(after)
    lower = lowering(model, "v1")
    return steps_to(described_tables(model, lower), made(before), model, lower, fast=False, settled=True).steps


def pets(backend):
    """A group whose services have selectors, which a version's own Service needs."""
    text = GROUP
    for name in ("cat", "mouse", "dog"):
        text = text.replace(f"host: {name}-svc,", f"host: {name}-svc, selector: {{app: {name}}},")
    return group(text).of_backend(backend)


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(specs(), lanes(ready), lanes(coming), st.sampled_from(BACKENDS))
def test_lanes_that_come_change_no_route_no_subset_in_use_and_no_other_lane(value, there, more, backend):
    try:
        spec = LaneGroup.model_validate(for_both(value)).of_backend(backend)
        compile_group(spec)
    except (InputError, ValidationError):
        return
    alone = with_previews(spec, there)
    more = [one for one in more if one.name not in {each.name for each in there}]
    found = with_previews(spec, [*there, *more])
    assert (found.over, found.refused) == (alone.over, alone.refused)
    assert without_previews(found.spec) == spec
    before, after = made(alone.spec), made(found.spec)
    for name, one in before.items():
        if name.kind != "DestinationRule":
            assert after[name] == one
            continue
        old, new = (each["spec"].get("subsets") or [] for each in (one, after[name]))
        assert [each for each in new if each in old] == old
    assert {name.kind for name in after.keys() - before.keys()} <= {"Service", "DestinationRule"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_once_its_pods_are_ready_only_routes_are_written(backend):
    spec = pets(backend)
    early = with_previews(spec, [coming("pr-1", "cat"), coming("pr-2", "mouse")]).spec
    (step,) = planned(spec, early)
    assert step.title.startswith("subsets: the new ones")
    assert step.new_subsets == ()  # it waits for no Pods
    routed = with_previews(spec, [ready("pr-1", "cat"), coming("pr-2", "mouse")]).spec
    first, *rest = planned(early, routed)
    assert (first.title, first.waves) == ("subsets: their Pods are ready", ())
    assert [one.name for one in first.new_subsets] == ["pr-1"]
    assert [one.title.partition(":")[0] for one in rest] == ["between services", "entries"]
    kinds = {one["kind"] for each in rest for wave in each.waves for one in wave}
    assert not kinds & {"DestinationRule", "Service"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_was_written_for_one_that_ends_before_goes(backend):
    spec = pets(backend)
    early = with_previews(spec, [coming("pr-1", "cat")]).spec
    (step,) = planned(early, spec)
    assert step.title == "subsets: what is left over goes"


def test_versions_that_come_are_no_finding_of_lint():
    spec = group()

    def found(one):
        there = Resources.parse(made(one).values())
        return [(each.code, each.message) for each in lint(Index(there, (), there))]

    assert found(with_previews(spec, [coming("pr-1", "cat")]).spec) == found(spec)


def test_a_subset_of_all_pods_stays_as_it_is_until_the_lane_is_ready():
    """With two versions it needs no labels; a third one changes what it selects."""
    spec = group(RUNTIME)
    assert with_previews(spec, [coming("pr-1", "cat")]).spec == spec
    assert "pr-1" in with_previews(spec, [ready("pr-1", "cat")]).over


def test_one_that_does_not_fit_hinders_none_and_is_refused_once_it_is_ready():
    spec = group()
    found = with_previews(spec, [ready("pr-1", "cat"), coming("gray", "cat"), coming("a" * 60, "cat")])
    assert (set(found.over), found.refused) == ({"pr-1"}, {})
    assert "has a lane gray" in with_previews(spec, [ready("gray", "cat")]).refused["gray"]


def test_a_version_that_a_lane_of_the_group_asks_for_is_no_previews():
    """A consumer has it, and the service of the same name does not: a route would lead there at once."""
    text = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes: {prod: {}, gray: {versions: {cat: pr-1}}}
  services:
    cat: {host: cat-svc, port: 80, versions: {prod: {labels: {v: p}}}}
  consumers:
    cat: {kind: kafka, topic: t, versions: {prod: {name: c}, pr-1: {name: c-pr-1}}}
"""
    spec = group(text)
    assert with_previews(spec, [coming("pr-1", "cat")]).spec == spec
    assert "lane gray has a version pr-1 of cat" in with_previews(spec, [ready("pr-1", "cat")]).refused["pr-1"]
