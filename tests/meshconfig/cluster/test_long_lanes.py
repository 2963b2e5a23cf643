"""The tags of a consistent change reach services whole, however long the names of lanes are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollout_world import GROUP, group
from runner_world import NOWHERE, cluster, mesh

import propagation
from meshconfig.backend import backend
from meshconfig.cluster import history, revision
from meshconfig.cluster.change import Choices, Wanted, Watcher, carry_out, prepare, rollback_target
from meshconfig.cluster.plan.tags import asked_values, set_values
from meshconfig.compile import compile_group, problems
from meshconfig.compile.check import LONGEST_GENERATION, LONGEST_TAG, OF_THE_BASELINE
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.spec import LaneGroup
from propagation.fields import MAX_LENGTH

__all__ = ["cluster", "mesh"]

LANE = LONGEST_TAG - len(LONGEST_GENERATION)
BASELINE = LANE - len(OF_THE_BASELINE)
names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?", fullmatch=True)


def named(baseline, lane):
    text = (
        GROUP.replace("    prod:", f"    {baseline}:")
        .replace("    gray:", f"    {lane}:")
        .replace("{v: prod}", "{v: v1}")
    )
    text = text.replace("versions: {prod:", "default: only, versions: {only:")
    return text.replace("spec:\n  lanes", f"spec:\n  tag: {{default: {baseline}}}\n  lanes")


def test_the_limit_is_that_of_propagation():
    assert LONGEST_TAG == MAX_LENGTH


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize(("baseline", "lane"), [(4, LANE), (BASELINE, 4), (BASELINE, LANE)])
def test_a_name_that_is_too_long_is_an_error_with_its_line(baseline, lane, over):
    """One that just fits is none."""
    text = named("p" * (baseline + (over if baseline > 4 else 0)), "g" * (lane + (over if lane > 4 else 0)))
    if not over:
        assert groups(parse(text, "graylane.yaml"))
        return
    with pytest.raises(InputError) as said:
        groups(parse(text, "graylane.yaml"))
    most = {LANE, BASELINE} & {size for size in (baseline, lane) if size > 4}
    lines = str(said.value).splitlines()
    assert len(lines) == len(most)
    assert all(
        line.startswith("graylane.yaml:") and "services drop a tag of over 64 characters" in line for line in lines
    )
    assert {int(line.partition("may have ")[2].partition(":")[0]) for line in lines} == most


def read_back(tag):
    """What a service's code sees of a tag, and what it sends on."""
    context = propagation.extract({"env": tag})
    return propagation.get("env", context), propagation.inject({}, context=context).get("env")


def tags(prepared):
    for state in prepared.plan.states(prepared.live.state):
        lifted = backend().lift(state.values(), "env")
        for table in lifted.route_tables:
            yield from set_values(table.routes, "env")
            yield from (match.value for match in asked_values(table.routes, "env") if match.kind == "exact")


def change(mesh, text, other):
    """A lane, and the baseline with it, goes over to other versions in two services: a consistent change."""
    first, second = (LaneGroup.model_validate(one.value) for one in (parse(text, "f")[0], parse(other, "f")[0]))
    choices = Choices(wait=0, drain=0, istiod=NOWHERE)
    carry_out(mesh.client, Wanted("pets", "demo", first, stored=True), choices, Watcher())
    return prepare(mesh.client, Wanted("pets", "demo", second, stored=True))


@pytest.mark.parametrize(
    ("baseline", "lane"), [("prod", "g" * LANE), ("p" * BASELINE, "g" * LANE), ("p" * BASELINE, "g")]
)
def test_what_a_consistent_change_sets_is_what_propagation_takes(mesh, baseline, lane):
    text = named(baseline, lane)
    prepared = change(mesh, text, text.replace("{cat: v2, mouse: v2}", "{cat: v1, mouse: v1}"))
    assert prepared.plan.consistent
    found = set(tags(prepared))
    assert f"{lane}.next" in found
    for tag in found:
        assert read_back(tag) == (tag.partition(".")[0], tag)


@pytest.mark.parametrize(
    ("baseline", "lane"), [("prod", "g" * 60), ("prod", "g" * 63), ("p" * 52, "gray"), ("p" * 63, "g" * 63)]
)
def test_a_lane_of_an_earlier_version_is_changed_directly_with_its_risk(mesh, baseline, lane):
    text = named(baseline, lane)
    prepared = change(mesh, text, text.replace("{cat: v2, mouse: v2}", "{cat: v1, mouse: v1}"))
    assert not prepared.plan.consistent
    assert any("services drop the tag" in reason for reason in prepared.plan.reasons)
    assert any("may meet old and new" in risk for risk in prepared.plan.risks)
    assert all(len(tag) <= LONGEST_TAG for tag in tags(prepared))
    assert any("lanes" in note and "may have" in note for note in prepared.notes)


@settings(max_examples=200)
@given(names, names)
def test_every_spec_that_compiles_has_tags_that_propagation_takes(baseline, lane):
    if baseline == lane:
        return
    value = parse(named(f'"{baseline}"', f'"{lane}"'), "f")[0].value
    spec = LaneGroup.model_validate(value)
    if list(problems(spec)):
        assert len(lane) > LANE or len(baseline) > BASELINE
        assert list(problems(spec, stored=True)) == []
        return
    compile_group(spec)
    for name in (baseline, lane):
        assert read_back(f"{name}{LONGEST_GENERATION}") == (name, f"{name}{LONGEST_GENERATION}")
    untagged = f"{baseline}{LONGEST_GENERATION}{OF_THE_BASELINE}"
    assert read_back(untagged) == (baseline, untagged)


def test_a_revision_that_was_valid_once_can_be_gone_back_to(mesh):
    """As an earlier version of graylane stored it."""
    long = LaneGroup.model_validate(parse(named("prod", "g" * 60), "f")[0].value)
    choices = Choices(wait=0, drain=0, istiod=NOWHERE)
    carry_out(mesh.client, Wanted("pets", "demo", long, stored=True), choices, Watcher())
    assert history.revisions(mesh.client, "demo", "pets")[-1].document == revision.document(long)
    mesh.apply(group())
    told = []
    wanted = rollback_target(mesh.client, "demo", "pets", 2)
    done = carry_out(mesh.client, wanted, choices, Watcher(noted=told.append))
    assert done.revision == 4
    assert [note for note in told if "is applied as it is" in note and "g" * 60 in note]
    with pytest.raises(InputError):
        mesh.apply(long)
