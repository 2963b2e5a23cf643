"""The steps of a change, as `graylane plan` shows them and `apply` carries them out."""

import copy
import json
from typing import Any

import pytest
from changing_specs import compiled, hints, plan

from meshconfig.cluster.objects import Key
from meshconfig.cluster.plan import depths
from meshconfig.model import Model, Name, Service


def version(name, **more):
    return {"labels": {"env": name}, **more}


def service(host, *versions, **more):
    return {"host": host, "port": 9001, "versions": {name: version(name) for name in versions}, **more}


PETS: Any = {
    "apiVersion": "graylane/v1",
    "kind": "LaneGroup",
    "metadata": {"name": "pets", "namespace": "demo"},
    "spec": {
        "lanes": {"prod": {}, "gray": {}},
        "services": {
            "cat": service("cat-svc", "prod", "gray", "v3", calls=["mouse"]),
            "mouse": service("mouse-svc", "prod", "gray", "v3", calls=["dog"]),
            "dog": service("dog-svc", "prod", "gray", "v3"),
        },
        "entries": [{"hosts": ["cat.example.com"], "routes": [{"path": {"prefix": "/"}, "service": "cat"}]}],
    },
}


def pets(edit=lambda spec: None):
    value = copy.deepcopy(PETS)
    edit(value["spec"])
    return compiled(value)


def planned(before, after, **options):
    (live, _), (wanted, model) = before, after
    return plan(live, wanted, **hints(model), **options)


def names(step):
    return [[one["metadata"]["name"] for one in wave] for wave in step.waves]


def route(state, name, route_name):
    manifest = state[Key("VirtualService", "demo", name)]
    return next(one for one in manifest["spec"]["http"] if one["name"] == route_name)


def gray_is_v3(spec):
    spec["lanes"]["gray"] = {"versions": {"mouse": "v3", "dog": "v3"}}


def blue_comes(spec):
    spec["lanes"]["blue"] = {"versions": {"mouse": "v3"}}


NOTHING = ({}, None)


def test_nothing_different_is_nothing_to_do():
    assert planned(pets(), pets()).steps == ()


def test_a_first_apply_leads_nobody_to_what_is_not_there():
    steps = planned(NOTHING, pets()).steps
    assert [names(step) for step in steps] == [
        [["cat-svc", "dog-svc", "mouse-svc"]],
        [["dog-svc"], ["mouse-svc"], ["cat-svc"]],
        [["cat-example-com"], ["cat-example-com"]],
    ]
    assert [wave[0]["kind"] for wave in steps[2].waves] == ["Gateway", "VirtualService"]
    assert {(one.host.partition(".")[0], one.name) for one in steps[0].new_subsets} == {
        (host, name) for host in ("cat-svc", "mouse-svc", "dog-svc") for name in ("prod", "gray")
    }
    assert steps[0].new_subsets[0].labels == (("env", "gray"),)
    assert all(step.barrier for step in steps)


def test_a_new_lane_comes_to_the_mesh_first_and_to_the_entries_last():
    made = planned(pets(), pets(blue_comes), settled=True)
    assert not made.consistent
    assert [names(step) for step in made.steps] == [[], [["mouse-svc"]], [["cat-example-com"]]]
    assert [one.name for one in made.steps[0].new_subsets] == ["v3"]


def test_a_lane_that_ends_is_drained_before_its_routes_go_and_they_before_its_subset():
    def ended(spec):
        del spec["lanes"]["gray"]
        del spec["services"]["dog"]["versions"]["gray"]

    before = pets()
    made = planned(before, pets(ended), settled=True)
    entries, mesh, subsets = made.steps
    assert names(entries) == [["cat-example-com"]]
    assert entries.drain
    assert names(mesh) == [["dog-svc"], ["mouse-svc"], ["cat-svc"]]
    assert mesh.barrier
    assert names(subsets) == [["dog-svc"]]


def test_a_lane_that_means_something_else_in_two_services_changes_by_a_generation():
    live, wanted = pets(), pets(gray_is_v3)
    made = planned(live, wanted, settled=True)
    assert made.consistent
    assert made.reasons == ("gray means something else in dog-svc and mouse-svc",)
    _, beside, entering, taken, leaving, last = made.steps
    assert [step.drain for step in made.steps] == [False, False, True, False, True, False]
    states = made.states(live[0])

    assert route(states[1], "mouse-svc", "gray.next")["route"][0]["destination"]["subset"] == "v3"
    assert route(states[1], "mouse-svc", "gray")["route"][0]["destination"]["subset"] == "gray"
    assert names(beside) == [["dog-svc"], ["mouse-svc"], ["cat-svc"]]
    default = route(states[2], "cat-example-com", "default")["route"][0]
    both = {"env": "prod.next-default", "baggage": "env=prod.next-default"}
    assert default["headers"] == {"request": {"set": both}}
    assert names(entering) == names(leaving) == [["cat-example-com"]]
    assert route(states[3], "mouse-svc", "gray")["route"][0]["destination"]["subset"] == "v3"
    assert names(taken) == [["dog-svc"], ["mouse-svc"]]
    assert names(last) == [["dog-svc"], ["mouse-svc"], ["cat-svc"]]


@pytest.mark.parametrize(
    "match", [{"path": {"prefix": "/x"}}, {"headers": {"who": "alice"}}, {"cookies": {"beta": "1"}}]
)
def test_no_route_on_the_way_asks_for_what_an_earlier_one_takes(match):
    """With `mirror` and `trail`, a lane without a version has two routes: one with its tag, and one with any tag."""

    def mirrored(spec):
        spec["trail"] = True
        spec["lanes"]["blue"] = {}
        spec["services"]["mouse"]["rules"] = [{"match": match, "weights": {"v3": 1}}]
        spec["services"]["mouse"]["mirror"] = {"version": "gray"}

    def changed(spec):
        mirrored(spec)
        gray_is_v3(spec)

    made = planned(pets(mirrored), pets(changed))
    assert made.consistent
    for state in made.states(pets(mirrored)[0]):
        http = state[Key("VirtualService", "demo", "mouse-svc")]["spec"]["http"]
        matches = [json.dumps(each, sort_keys=True) for route in http for each in route.get("match", ())]
        assert sorted(set(matches)) == sorted(matches)
    # The first of the two is the one that holds: the requests of a lane are not copied.
    during = made.states(pets(mirrored)[0])[2][Key("VirtualService", "demo", "mouse-svc")]["spec"]["http"]
    asking = [one for one in during if "blue.next" in json.dumps(one.get("match", ()))]
    assert asking
    assert not any("mirrors" in one for one in asking)


def test_fast_changes_directly_and_says_what_it_risks():
    made = planned(pets(), pets(gray_is_v3), fast=True)
    assert not made.consistent
    assert "gray means something else in dog-svc and mouse-svc" in made.risks[0]
    assert len(made.steps) == 2


def test_one_service_alone_changes_directly():
    def weighed(spec):
        spec["services"]["dog"]["weights"] = {"prod": 90, "gray": 10}

    made = planned(pets(), pets(weighed), settled=True)
    assert not made.consistent
    assert [names(step) for step in made.steps] == [[["dog-svc"]]]
    assert "dog-svc more than once" in made.risks[0]


@pytest.mark.parametrize(("known", "consistent"), [(True, False), (False, True)])
def test_a_service_behind_an_entry_changes_directly_if_no_service_calls_it(known, consistent):
    def weighed(spec):
        spec["services"]["cat"]["weights"] = {"prod": 90, "gray": 10}

    def untold(spec):
        weighed(spec)
        for one in spec["services"].values():
            del one["calls"]

    PETS["spec"]["services"]["dog"].setdefault("calls", [])
    assert planned(pets(), pets(weighed if known else untold)).consistent is consistent


def test_other_pods_under_the_same_name_serve_under_another_name_first():
    def relabelled(spec):
        spec["services"]["dog"]["versions"]["gray"]["labels"] = {"env": "anew"}

    live = pets()
    made = planned(live, pets(relabelled), settled=True)
    assert made.consistent
    assert [(one.name, one.labels) for one in made.steps[0].new_subsets] == [("gray-next", (("env", "anew"),))]
    states = made.states(live[0])
    rule = Key("DestinationRule", "demo", "dog-svc")
    labels = [{one["name"]: one["labels"]["env"] for one in state[rule]["spec"]["subsets"]}["gray"] for state in states]
    assert labels == ["gray", "gray", "gray", *["anew"] * (len(states) - 3)]
    assert route(states[1], "dog-svc", "gray.next")["route"][0]["destination"]["subset"] == "gray-next"
    assert made.steps[2].drain
    assert planned(live, pets(relabelled), fast=True).risks


def test_a_change_that_was_cut_off_is_not_taken_for_done():
    """The entries are written, and nobody has waited for who is under way."""
    live, wanted = pets(), pets(lambda spec: spec["lanes"].pop("gray"))
    cut_off = planned(live, wanted, settled=True).states(live[0])[0]
    wait, mesh = planned((cut_off, None), wanted).steps
    assert (wait.waves, wait.barrier, wait.drain) == ((), True, True)
    assert names(mesh) == [["dog-svc"], ["mouse-svc"], ["cat-svc"]]


def test_tags_of_a_change_that_was_cut_off_are_answered_until_nobody_carries_them():
    live, wanted, other = pets(), pets(gray_is_v3), pets(blue_comes)
    cut_off = planned(live, wanted).states(live[0])[3]
    made = planned((cut_off, None), other)
    assert made.consistent
    states = made.states(cut_off)
    drained = next(number for number, step in enumerate(made.steps) if step.drain)
    for state in states[: drained + 1]:
        assert route(state, "mouse-svc", "gray.next")["route"][0]["destination"]["subset"] == "v3"
    assert route(states[drained], "mouse-svc", "gray.next2")
    assert states[-1] == other[0]


def test_a_change_that_was_cut_off_goes_back_without_another_generation():
    """The plain tags mean still what they did, so the entries can set them again."""
    live, wanted = pets(), pets(gray_is_v3)
    cut_off = planned(live, wanted).states(live[0])[2]
    entries, mesh = planned((cut_off, None), live, settled=True).steps
    assert entries.drain
    assert (names(entries), names(mesh)) == ([["cat-example-com"]], [["dog-svc"], ["mouse-svc"], ["cat-svc"]])


def test_a_change_cut_off_at_its_end_goes_on_from_there():
    live, wanted = pets(), pets(gray_is_v3)
    cut_off = planned(live, wanted).states(live[0])[4]
    assert [(names(step), step.drain) for step in planned((cut_off, None), wanted).steps] == [
        ([], True),
        ([["dog-svc"], ["mouse-svc"], ["cat-svc"]], False),
    ]


def test_an_entry_goes_before_its_gateway_and_a_group_without_entries_needs_no_generation():
    live = pets()
    made = plan(live[0], {}, **hints(live[1]))
    assert not made.consistent
    deletes = [[name.kind for name in step.deletes] for step in made.steps]
    assert deletes == [[], ["VirtualService", "Gateway"], ["VirtualService"] * 3, ["DestinationRule"] * 3]
    assert made.steps[1].drain


def test_a_lane_called_as_a_route_is_known_by_its_match():
    def named_default(spec):
        spec["lanes"]["default"] = {"versions": {"mouse": "v3"}}

    def ended(spec):
        spec["services"]["dog"]["weights"] = {"prod": 1, "v3": 1}

    live = pets(named_default)
    made = planned(live, pets(ended))
    kept = made.states(live[0])[1][Key("VirtualService", "demo", "mouse-svc")]["spec"]["http"]
    assert [one["name"] for one in kept if one.get("match") == [{"headers": {"env": {"exact": "default"}}}]]


def test_autoscalers_come_first_and_go_last():
    def scaled(spec):
        spec["services"]["dog"]["versions"]["gray"]["autoscale"] = {"min": 1, "max": 3}

    assert [one["kind"] for one in planned(pets(), pets(scaled)).steps[0].waves[0]] == ["HorizontalPodAutoscaler"]
    last = planned(pets(scaled), pets()).steps[-1]
    assert [name.kind for name in last.deletes] == ["HorizontalPodAutoscaler"]


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ({"cat": ("mouse",), "mouse": ("dog",), "dog": ()}, {"cat": 2, "mouse": 1, "dog": 0}),
        ({"cat": ("mouse", "dog"), "mouse": ("dog",), "dog": ()}, {"cat": 2, "mouse": 1, "dog": 0}),
        ({"cat": ("mouse",), "mouse": ("cat",), "dog": ("cat",)}, {"cat": 1, "mouse": 0, "dog": 2}),
    ],
)
def test_depth_counts_the_calls_below(calls, expected):
    services = [Service(name, Name("demo", name), name, 9001, (), (), called) for name, called in calls.items()]
    assert depths(Model("pets", "demo", "env", "prod", tuple(services), ())) == expected
