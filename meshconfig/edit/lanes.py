"""The edits of `graylane lane`."""

from collections.abc import Mapping
from typing import Literal

from meshconfig.edit.draft import LANES, SERVICES, Draft
from meshconfig.edit.uses import of_lane, of_version, unknown
from meshconfig.errors import InputError, Problem, dotted
from meshconfig.groups import Group


def add(
    group: Group, lane: str, *, versions: Mapping[str, str], mode: Literal["permissive", "strict"] | None = None
) -> Draft:
    """Add a lane.

    Parameters:
        versions: the lane's version of each service; without any, each service's version of the same name as the lane.

    Raises:
        InputError: the lane exists already, or a service or version does not exist.
    """
    draft = Draft(group)
    services = group.spec.spec.services
    if lane in group.spec.spec.lanes:
        raise draft.error((*LANES, lane), f"lane {lane} exists already")
    for service, version in versions.items():
        if service not in services:
            raise draft.error(SERVICES, unknown("service", service, services))
        if version not in services[service].versions:
            valid = services[service].versions
            raise draft.error((*SERVICES, service, "versions"), unknown(f"version of {service}", version, valid))
    value: dict[str, object] = {"versions": dict(versions)} if versions else {}
    value |= {"mode": mode} if mode else {}
    draft.add((*LANES, lane), value)
    return draft


def remove(group: Group, lane: str) -> Draft:
    """Remove a lane, and its weights of 0 in splits.

    Raises:
        InputError: something still leads to the lane (the message lists each place), or it does not exist.
    """
    draft = Draft(group)
    lanes = group.spec.spec.lanes
    if lane not in lanes:
        raise draft.error(LANES, unknown("lane", lane, lanes))
    if uses := list(of_lane(group, lane)):
        found = [(path, f"lane {lane} is in use: {how}") for path, how in uses]
        raise InputError(sorted(Problem(group.locate(path), dotted(path), message) for path, message in found))
    draft.drop((*LANES, lane))
    for index, entry in enumerate(group.spec.spec.entries):
        if lane in (entry.split or {}):
            draft.entry(index)["split"].pop(lane)
    _tell_idle(draft, lane)
    return draft


def _tell_idle(draft: Draft, lane: str) -> None:
    """Note the versions that get no request any more."""
    for service in draft.group.spec.spec.services:
        version = draft.group.spec.service(service).version_in(lane)
        if version is None:
            continue
        uses = [path for path, _ in of_version(draft.group, service, version)]
        if all(path[:3] == (*LANES, lane) for path in uses):
            path = (*SERVICES, service, "versions", version)
            draft.note(path, f"no request goes to {service} {version} any more; graylane version retire removes it")
