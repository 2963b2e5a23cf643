"""Does a rollout fit its group? Said with the field's place before anything begins."""

import pytest
import yaml
from rollout_world import GROUP, STEPS, group, rollout

from meshconfig.errors import InputError
from meshconfig.load import parse
from meshconfig.rollout import check
from meshconfig.rollout.canary_lane import canary_lane

TWO = {"cat": {"from": "v1", "to": "v2"}, "mouse": {"from": "v1", "to": "v2"}}
ONE = {"cat": {"from": "v1", "to": "v2"}}
ENTRY = "cat.example.com"


def problems(text=GROUP, **more):
    document = rollout(STEPS, **more).model_dump(mode="json", by_alias=True, exclude_unset=True)
    written = parse(yaml.safe_dump(document, sort_keys=False), "rollout.yaml")[0]
    try:
        check.fits(check.parse(written), group(text), written)
    except InputError as error:
        return [f"{one.path}: {one.message}" for one in error.problems]
    return []


@pytest.mark.parametrize("entry", [None, ENTRY])
def test_it_fits(entry):
    assert problems(entry=entry) == []


def test_an_error_has_its_line():
    written = yaml.safe_dump(rollout().model_dump(mode="json", by_alias=True, exclude_unset=True))
    document = parse(written, "rollout.yaml")[0]
    line = written.splitlines().index("    cat:") + 2
    moved = group(GROUP.replace("{cat: v1, mouse: v1}", "{cat: v2, mouse: v1}"))
    with pytest.raises(
        InputError, match=rf"rollout\.yaml:{line}: spec\.services\.cat\.from: untagged requests to cat get v2"
    ):
        check.fits(check.parse(document), moved, document)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"group": "pats"}, "spec.group: this is group demo/pats, not demo/pets"),
        ({"services": {"cot": TWO["cat"]}}, "spec.services.cot: there is no service cot; did you mean cat?"),
        (
            {"services": {"cat": {"from": "v1", "to": "v3"}}},
            "spec.services.cat.to: there is no version of cat v3; there is v1, v2",
        ),
        (
            {"services": {"cat": {"from": "v2", "to": "v1"}}, "keepOld": None},
            "spec.services.cat.from: untagged requests to cat get v1, not v2",
        ),
        ({"entry": "cot.example.com"}, "spec.entry: there is no entry cot.example.com; did you mean cat.example.com?"),
        (
            {"entry": ENTRY, "services": ONE},
            "spec.entry: no lane carries the new versions, as {versions: {cat: v2}} would; "
            "gray: mouse is v2 there, not v1",
        ),
    ],
)
def test_names_that_do_not_meet(more, said):
    assert problems(**more) == [said]


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        (
            "calls: [mouse]",
            "calls: [mouse], weights: {v1: 90, v2: 10}",
            "spec.services.cat.from: untagged requests to cat get v1: 90, v2: 10, not v1",
        ),
        (
            "    gray:",
            "    blue: {versions: {cat: v2, mouse: v2}}\n    gray:",
            "spec.entry: lanes blue and gray carry the new versions, and a split needs exactly one",
        ),
        (
            "mouse: v2}}",
            "mouse: v2}, fallback: runtime}",
            "spec.entry: no lane carries the new versions, as {versions: {cat: v2, mouse: v2}} would; "
            "gray: it falls back at run time, so its requests may reach old and new versions",
        ),
        (
            "mouse: v2}}",
            "mouse: v2}, mode: strict}",
            "spec.entry: no lane carries the new versions, as {versions: {cat: v2, mouse: v2}} would; "
            "gray: it is strict and has no version of dog",
        ),
        (
            "prod: {labels: {v: prod}}",
            "prod: {labels: {v: prod}}, gray: {labels: {v: gray}}",
            "spec.entry: no lane carries the new versions, as {versions: {cat: v2, mouse: v2}} would; "
            "gray: dog is gray there, not prod",
        ),
        (
            "routes: [",
            "split: {gray: 1, prod: 9}\n      routes: [",
            "spec.entry: this entry has a split already, and a",
        ),
        (
            "    - hosts",
            "    - hosts: [cat.example.com]\n      routes: [{path: {prefix: /}, service: cat}]\n    - hosts",
            "spec.entry: 2 entries have this host",
        ),
        (
            "    gray:",
            "    old: {versions: {cat: v1}}\n    gray:",
            "spec.keepOld: v1 of cat cannot be retired while lane old would use it; without keepOld it stays",
        ),
        (
            "calls: [dog]",
            "calls: [dog], rules: [{match: {path: /x}, weights: {v1: 1}}]",
            "spec.keepOld: v1 of mouse cannot be retired while rules[0] would use it; without keepOld it stays",
        ),
    ],
)
def test_a_group_in_which_it_cannot_go(was, becomes, said):
    assert was in GROUP
    found = problems(GROUP.replace(was, becomes, 1), entry=ENTRY)
    assert len(found) == 1
    assert found[0].startswith(said)


def test_what_would_not_compile_on_the_way_is_said_before():
    text = GROUP.replace("lanes:\n    prod: {versions: {cat: v1, mouse: v1}}", "lanes:\n    prod: {}")
    text = text.replace("port: 9001, calls", "port: 9001, default: v1, calls")
    text = text.replace("mouse: v2}}", "mouse: v2}, fallback: runtime}")
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(
        "spec: a step would make the group invalid: spec.services.cat.versions.v2: lane gray falls"
    )


def test_the_lane_that_carries_the_new_versions():
    assert canary_lane(rollout(entry=ENTRY), group()) == "gray"
    assert canary_lane(rollout(), group()) == ""
