"""Hypothesis strategies: a spec, and what somebody makes of it next."""

import copy
import json
from functools import partial

from hypothesis import strategies as st
from pydantic import ValidationError
from random_specs import (
    HOSTS,
    LANES,
    SERVICES,
    entries,
    lane_specs,
    matches,
    outside_services,
    outside_specs,
    services,
    specs,
    weights,
)

from meshconfig.backend import backend
from meshconfig.cluster.objects import state
from meshconfig.cluster.plan import called, depths
from meshconfig.cluster.plan import plan as plan_tables
from meshconfig.compile import compile_group
from meshconfig.errors import InputError
from meshconfig.model import RoutingState
from meshconfig.render import owner, render
from meshconfig.spec import LaneGroup


def compiled(value):
    """(resources, model), or None where the spec is refused."""
    try:
        group = LaneGroup.model_validate(value)
    except ValidationError:
        return None
    try:
        model = compile_group(group)
    except InputError:
        return None
    return state(render([model])), model


def plan(live, wanted, *, model, **options):
    """The plan from resources, as a cluster has them, to a model; `wanted` is what it renders to, or nothing."""
    return plan_tables(
        backend().lift(live.values(), model.tag),
        model.routing() if wanted else RoutingState(),
        lower=partial(backend().lower, owner=owner(model)),
        **{"tag": model.tag, "baseline": model.baseline, "depth": depths(model), "called": called(model), **options},
    )


def hints(model):
    """What `plan` is told beside the resources."""
    return {"model": model}


@st.composite
def first_specs(draw, outside=False):
    """A spec that compiles; a third of them say who calls whom.

    Parameters:
        outside: it has a service outside the mesh, too.
    """
    value = draw(outside_specs() if outside else specs())
    names = list(value["spec"]["services"])
    if draw(st.integers(0, 2)) == 0:
        for name in [one for one in names if one != PAY]:
            value["spec"]["services"][name]["calls"] = draw(st.lists(st.sampled_from(names), unique=True, max_size=2))
    return value


def changed(value, edits):
    """The same after one to three edits; not every one of them compiles."""
    return st.lists(st.sampled_from(edits), min_size=1, max_size=3).flatmap(lambda edits: _edited(value, edits))


@st.composite
def _edited(draw, value, edits):
    value = copy.deepcopy(value)
    for edit in edits:
        edit(draw, value["spec"])
    return value


def _one(draw, mapping):
    return mapping[draw(st.sampled_from(sorted(mapping)))]


def _other_lanes(spec):
    return [name for name in spec["lanes"] if name != "prod"]


def lane_versions(draw, spec):
    if names := _other_lanes(spec):
        lane = spec["lanes"][draw(st.sampled_from(names))]
        chosen = draw(st.lists(st.sampled_from(sorted(spec["services"])), min_size=1, max_size=3, unique=True))
        lane["versions"] = {name: draw(st.sampled_from(sorted(spec["services"][name]["versions"]))) for name in chosen}


def lane_mode(draw, spec):
    if names := _other_lanes(spec):
        lane = spec["lanes"][draw(st.sampled_from(names))]
        lane["mode"] = "strict" if lane.get("mode") != "strict" else "permissive"


def lane_fallback(draw, spec):
    if names := _other_lanes(spec):
        lane = spec["lanes"][draw(st.sampled_from(names))]
        lane["fallback"] = "runtime" if lane.get("fallback") != "runtime" else "compiled"


def lane_comes(draw, spec):
    free = [name for name in LANES if name not in spec["lanes"]]
    if free:
        name = draw(st.sampled_from(free))
        spec["lanes"][name] = draw(lane_specs([name], spec["services"]))[name]
        for service in draw(st.lists(st.sampled_from(sorted(spec["services"])), unique=True)):
            spec["services"][service]["versions"].setdefault(name, {"labels": {"env": name}})


def lane_goes(draw, spec):
    if names := _other_lanes(spec):
        name = draw(st.sampled_from(names))
        del spec["lanes"][name]
        for entry in spec["entries"]:
            entry["admit"] = [one for one in entry.get("admit", []) if one["lane"] != name]
            entry.get("split", {}).pop(name, None)
            if not any(entry.get("split", {}).values()):
                entry.pop("split", None)


def trail(draw, spec):
    spec["trail"] = not spec.get("trail", False)


def tag_baggage(draw, spec):
    spec["tag"]["baggage"] = not spec["tag"]["baggage"]


def entry_baggage(draw, spec):
    for entry in spec["entries"]:
        entry["baggage"] = draw(st.sampled_from(("replace", "keep")))


def service_weights(draw, spec):
    service = _one(draw, spec["services"])
    service.pop("default", None)
    service["weights"] = draw(weights(sorted(service["versions"])))


def every_service_moves(draw, spec):
    """A version is taken over everywhere."""
    for service in spec["services"].values():
        service.pop("weights", None)
        service["default"] = draw(st.sampled_from(sorted(service["versions"])))


def service_rules(draw, spec):
    service = _one(draw, spec["services"])
    tagged = st.sampled_from(({"prefix": "b"}, {"regex": "gray|canary"}, {"present": True}, {"exact": "blue"}))
    match = st.one_of(matches(), tagged.map(lambda value: {"headers": {"env": value}}))
    rules = st.fixed_dictionaries({"match": match, "weights": weights(sorted(service["versions"]))})
    service["rules"] = draw(st.lists(rules, max_size=2))
    service.pop("mirror", None)  # refused beside a rule that asks for the tag


def service_mirror(draw, spec):
    service = _one(draw, spec["services"])
    if not any("env" in rule["match"].get("headers", {}) for rule in service.get("rules", ())):
        service["mirror"] = {"version": draw(st.sampled_from(sorted(service["versions"])))}


def mirror_ends(draw, spec):
    _one(draw, spec["services"]).pop("mirror", None)


def version_comes(draw, spec):
    service = _one(draw, spec["services"])
    service["versions"].setdefault(draw(st.sampled_from(("prod", *LANES, "v9"))), {"labels": {"env": "v9"}})


def version_goes(draw, spec):
    service = _one(draw, spec["services"])
    if len(service["versions"]) > 1:
        gone = draw(st.sampled_from(sorted(service["versions"])))
        del service["versions"][gone]
        if service.get("mirror", {}).get("version") == gone:
            del service["mirror"]


def version_labels(draw, spec):
    """The same name, other Pods."""
    version = _one(draw, _one(draw, spec["services"])["versions"])
    version["labels"] = {"env": draw(st.sampled_from(("prod", *LANES, "v9", "anew")))}


def service_comes(draw, spec):
    free = [name for name in SERVICES if name not in spec["services"]]
    if free:
        name = draw(st.sampled_from(free))
        spec["services"][name] = draw(services(name, _other_lanes(spec), 9001))
        if draw(st.booleans()):
            for entry in spec["entries"]:
                entry["routes"].insert(0, {"path": {"prefix": "/api"}, "service": name})
        if any("calls" in one for one in spec["services"].values()):
            _one(draw, spec["services"]).setdefault("calls", []).append(name)


PAY = "pay"  # the service outside the mesh


def outside_anew(draw, spec):
    """Other hosts outside the mesh, or the first ones; lanes lead to them by the versions that they have."""
    spec["services"][PAY] = draw(outside_services(_other_lanes(spec)))
    for lane in spec["lanes"].values():
        if lane.get("versions", {}).get(PAY) not in (None, *spec["services"][PAY]["versions"]):
            del lane["versions"][PAY]


def outside_goes(draw, spec):
    if PAY in spec["services"] and len(spec["services"]) > 1:
        _without(spec, PAY)


def service_goes(draw, spec):
    if len(spec["services"]) > 1:
        _without(spec, draw(st.sampled_from(sorted(spec["services"]))))


def _without(spec, gone):
    del spec["services"][gone]
    for one in spec["services"].values():
        if "calls" in one:
            one["calls"] = [name for name in one["calls"] if name != gone]
    for lane in spec["lanes"].values():
        lane.get("versions", {}).pop(gone, None)
    for entry in spec["entries"]:
        entry["routes"] = [one for one in entry["routes"] if one["service"] != gone]
    spec["entries"] = [one for one in spec["entries"] if one["routes"]]


def entry_anew(draw, spec):
    if spec["entries"]:
        number = draw(st.integers(0, len(spec["entries"]) - 1))
        host = spec["entries"][number]["hosts"][0]
        spec["entries"][number] = draw(entries(host, _other_lanes(spec), sorted(spec["services"])))


def entry_comes(draw, spec):
    taken = {host for one in spec["entries"] for host in one["hosts"]}
    for host in [host for host in HOSTS if host not in taken][:1]:
        spec["entries"].append(draw(entries(host, _other_lanes(spec), sorted(spec["services"]))))


def entry_goes(draw, spec):
    if spec["entries"]:
        del spec["entries"][draw(st.integers(0, len(spec["entries"]) - 1))]


EDITS = (
    lane_versions,
    lane_versions,
    lane_mode,
    lane_fallback,
    lane_comes,
    lane_comes,
    lane_goes,
    trail,
    tag_baggage,
    entry_baggage,
    service_weights,
    every_service_moves,
    service_rules,
    service_mirror,
    mirror_ends,
    version_comes,
    version_goes,
    version_labels,
    service_comes,
    service_goes,
    entry_anew,
    entry_comes,
    entry_goes,
)


def histories(length, edits=EDITS):
    """Specs that follow each other, as (resources, model); each compiles."""
    return first_specs().filter(compiled).flatmap(lambda value: _history(value, length, edits))


@st.composite
def _history(draw, value, length, edits):
    values = [value]
    for _ in range(length - 1):
        values.append(draw(changed(values[draw(st.integers(0, len(values) - 1))], edits).filter(compiled)))
    return History(values)


class History(list):
    """Of each spec (resources, model); short to show."""

    def __init__(self, values):
        super().__init__(compiled(one) for one in values)
        self.values = values

    def __repr__(self):
        return "\n---\n".join(json.dumps(one["spec"]) for one in self.values)
