"""A few changes that people make, cut off after every step and within it, and another change after them."""

import copy
from random import Random

import pytest
from changing_specs import compiled, hints, plan
from plan_world import Asked, Moment, cut, lost, mixed

pytestmark = pytest.mark.slow


def service(host, **more):
    return {"host": host, "port": 9001, "versions": {name: {"labels": {"env": name}} for name in VERSIONS}, **more}


VERSIONS = ("prod", "gray", "v9")
PETS = {
    "apiVersion": "graylane/v1",
    "kind": "LaneGroup",
    "metadata": {"name": "pets", "namespace": "demo"},
    "spec": {
        "lanes": {"prod": {}, "gray": {}},
        "services": {name: service(f"{name}-svc") for name in ("cat", "mouse", "dog")},
        "entries": [{"hosts": ["a.example.com"], "routes": [{"path": {"prefix": "/"}, "service": "cat"}]}],
    },
}
REQUESTS = [Asked("a.example.com", "GET", "/", headers) for headers in ((), (("env", "gray"),), (("env", "blue"),))]


def same(spec):
    pass


def gray_ends(spec):
    del spec["lanes"]["gray"]


def gray_is_v9(spec):
    spec["lanes"]["gray"] = {"versions": {"mouse": "v9", "dog": "v9"}}


def v9_takes_over(spec):
    for one in spec["services"].values():
        one["default"] = "v9"


def blue_comes(spec):
    spec["lanes"]["blue"] = {"versions": {"mouse": "v9", "dog": "gray"}}


def gray_gets_other_pods(spec):
    for name in ("mouse", "dog"):
        spec["services"][name]["versions"]["gray"] = {"labels": {"env": "anew"}}


def dog_leaves(spec):
    del spec["services"]["dog"]
    spec["services"]["mouse"]["default"] = "v9"


def the_entry_goes(spec):
    spec["entries"] = []
    gray_is_v9(spec)


CHANGES = (gray_ends, gray_is_v9, v9_takes_over, blue_comes, gray_gets_other_pods, dog_leaves, the_entry_goes)


def pets(edit):
    value = copy.deepcopy(PETS)
    edit(value["spec"])
    return compiled(value)


def moments(made, live):
    times = 2 if made.consistent else 1
    return [
        Moment(s, one.barrier, one.drain, times=times) for s, one in zip(made.states(live), made.steps, strict=True)
    ]


@pytest.mark.parametrize("begun", CHANGES, ids=lambda edit: edit.__name__)
@pytest.mark.parametrize("then", [None, same, gray_is_v9], ids=lambda edit: edit.__name__ if edit else "again")
def test_no_request_meets_both(begun, then):
    (first, _), (second, model), (third, last) = pets(same), pets(begun), pets(then or begun)
    made = plan(first, second, **hints(model), settled=True)
    random = Random(1)
    before = [Moment(first), *moments(made, first)]
    for number, step in enumerate(made.steps):
        total = sum(map(len, step.waves)) + len(step.deletes)
        for count in {total // 2, total}:
            left = cut(random, before[number].state, step, count)
            killed = Moment(left, False, False, times=before[number + 1].times)
            again = plan(left, third, **hints(last))
            timeline = [*before[: number + 1], killed, *moments(again, left)]
            assert not next(lost(timeline), None), (number, count)
            for one in REQUESTS:
                assert not next(mixed(timeline, [first, second, third], one), None), (number, count, one)
            assert timeline[-1].state == third
