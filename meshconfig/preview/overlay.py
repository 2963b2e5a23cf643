"""What is wanted of a group with its preview lanes: they lie over the LaneGroup, which nobody but Git writes.

A lane that does not fit is left out, and the others are as they were: one lane never hinders its group.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from meshconfig.compile import problems
from meshconfig.compile.check import Wrong
from meshconfig.errors import dotted, nearest
from meshconfig.istio.labels import LANE
from meshconfig.spec.group import LaneGroup
from meshconfig.spec.preview import version_labels

Value = dict[str, Any]
Labels = Mapping[str, str]
NOBODY: Mapping[str, str] = {}
FIRST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Routed:
    """A preview lane that may be routed, or is about to be.

    Parameters:
        name: the tag's value, and the name of its version of each service.
        versions: the labels of that version's Pods, by service. They were ready.
        coming: the same of a lane none of whose versions was ready so far. Its group gets the versions, and no lane of
            this name, so that no route leads to them.
        created: when somebody asked for it: where not all lanes fit, the newest are left out.
    """

    name: str
    versions: Mapping[str, Labels]
    coming: Mapping[str, Labels] = field(default_factory=dict)
    created: datetime = FIRST

    @property
    def age(self) -> tuple[datetime, str]:
        """Sorts the oldest first."""
        return self.created, self.name


@dataclass(frozen=True, slots=True)
class Previewed:
    """A group with its preview lanes.

    Parameters:
        over: the lanes that lie over it and are routed.
        refused: why others do not, by name. Of a lane that is coming and does not fit it is said once that is ready.
        coming: the lanes whose versions alone lie over it.
    """

    spec: LaneGroup
    over: Mapping[str, Routed] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    coming: Mapping[str, Routed] = field(default_factory=dict)

    @property
    def lanes(self) -> tuple[Routed, ...]:
        """All that it has anything of."""
        return (*self.over.values(), *self.coming.values())


def with_previews(spec: LaneGroup, lanes: Iterable[Routed], aside: Mapping[str, str] = NOBODY) -> Previewed:
    """Lays lanes over a group.

    Parameters:
        spec: the group without them, with the rollouts that lie over it. It compiles.
        lanes: with names that differ, in any order: the same lanes give the same group.
        aside: why some of them are set aside, by name, as `culprits` gives it.
    """
    every = sorted(lanes, key=lambda one: one.name)
    given = [one for one in every if one.name not in aside]
    found = _over(spec, [one for one in given if one.versions])
    # Over the others, so that none of them is left out for one that may never come.
    coming = [one for one in given if not one.versions and not _moves_a_subset(found.spec, one)]
    come = _over(found.spec, coming)
    refused = {one.name: aside[one.name] for one in every if one.name in aside} | dict(found.refused)
    return replace(found, spec=come.spec, coming=come.over, refused=refused)


def _moves_a_subset(spec: LaneGroup, one: Routed) -> bool:
    """Whether versions more would change subsets in use: a lane that falls back at run time has one of all Pods."""
    there = [spec.service(name) for name in one.coming if name in spec.spec.services]
    return any(service.failover_version(lane) for service in there for lane in spec.spec.lanes)


def _over(spec: LaneGroup, given: Sequence[Routed]) -> Previewed:
    refused = {one.name: why for one in given if (why := _clash(spec, one))}
    fit = [one for one in given if one.name not in refused]
    if not fit:
        return Previewed(spec, refused=refused)
    # One check for all of them, as a group of hundreds of lanes is laid anew for each change of one.
    there, said = {one.name: one for one in fit}, dict(refused)
    known = frozenset(problems(spec))
    while there:
        here, wrong = _laid(spec, there.values(), known)
        if not wrong:
            return Previewed(here, there, said)
        # A problem's path has the name of the lane that makes it. Of any other, the newest lane is tried without.
        newest = max(there.values(), key=lambda one: one.age).name
        guilty = {name for path, _ in wrong for name in path if name in there} or {newest}
        for name in guilty:
            said[str(name)] = "; ".join(f"{dotted(path)}: {why}" for path, why in wrong if name in path) or wrong[0][1]
            del there[str(name)]
    return Previewed(spec, refused=said)


def _clash(spec: LaneGroup, one: Routed) -> str:
    """Why a lane is not to be laid over a group, by its names alone; empty where it may be."""
    if one.name in spec.spec.lanes:
        return f"the group itself has a lane {one.name}: give the preview lane another name"
    for service in {**one.versions, **one.coming}:
        found = spec.spec.services.get(service)
        if found is None:
            return f"the group has no service {service}{nearest(service, spec.spec.services)}"
        if found.external:
            return f"service {service} is outside the mesh, and a preview lane needs Pods"
        if one.name in found.versions:
            return f"service {service} itself has a version {one.name}: give the preview lane another name"
        if lane := next((lane for lane, its in spec.spec.lanes.items() if its.versions.get(service) == one.name), None):
            return f"lane {lane} has a version {one.name} of {service}: give the preview lane another name"
    return ""


def _version(lane: str, service: str, labels: Labels) -> Value:
    """A version of a lane. By the mark, which no route reads, `without_previews` knows that it is none of Git's."""
    mark = {} if LANE in labels else {"fallbackLabels": version_labels(lane, service)}
    return {"labels": dict(labels), **mark}


def _laid(spec: LaneGroup, lanes: Iterable[Routed], known: frozenset[Wrong]) -> tuple[LaneGroup, list[Wrong]]:
    """The group with these lanes, and what is wrong with it that was not before."""
    value: Value = spec.model_dump(by_alias=True, exclude_unset=True)
    for one in lanes:
        if one.versions:
            value["spec"]["lanes"][one.name] = {}
        for service, labels in {**one.versions, **one.coming}.items():
            value["spec"]["services"][service]["versions"][one.name] = _version(one.name, service, labels)
    try:
        found = LaneGroup.model_validate(value)
    except ValidationError as error:
        return spec, [(one["loc"], one["msg"]) for one in error.errors(include_url=False)]
    return found, [one for one in problems(found) if one not in known]
