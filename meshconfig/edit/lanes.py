"""The edits of `graylane lane`."""

from collections.abc import Mapping
from typing import Any, Literal

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
    """Remove a lane, and its weights of 0 in splits. In the order of a sticky split, the baseline takes its place.

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
        if entry.sticky and lane in entry.sticky.order:
            # The baseline keeps the end free, so that the users of the other lane stay where they are.
            order = draft.entry(index)["sticky"]["order"]
            order[:] = [group.spec.spec.tag.default if one == lane else one for one in order]
    _tell_idle(draft, lane)
    return draft


def split(
    group: Group,
    index: int,
    shares: Mapping[str, int] | None,
    *,
    sticky: bool | None = None,
    buckets: int | None = None,
) -> Draft:
    """Replace the split of an entry: the shares of untagged requests by lane.

    Parameters:
        index: the entry's.
        shares: relative to each other; None takes the split away.
        sticky: whether each user keeps the lane; None leaves that as it is.
        buckets: the number of buckets of a sticky split; None leaves it as it is.

    Raises:
        InputError: a lane does not exist.
    """
    draft = Draft(group)
    at = ("spec", "entries", index)
    for lane in shares or {}:
        if lane not in group.spec.spec.lanes:
            raise draft.error((*at, "split"), unknown("lane", lane, group.spec.spec.lanes))
    value = draft.entry(index)
    if shares is None:
        value.pop("split", None)
    else:
        _insert(
            value, "split", {**{lane: shares[lane] for lane in value.get("split") or () if lane in shares}, **shares}
        )
    if sticky is False:
        value.pop("sticky", None)
    elif sticky or buckets is not None:
        given = {} if buckets is None else {"buckets": buckets}
        _insert(value, "sticky", {**(value.get("sticky") or {}), **given})
    return draft


def _insert(entry: dict[str, Any], name: str, value: Any) -> None:
    """Set a field of an entry. A new one is placed before `routes`, which stands last by custom."""
    last = {} if name in entry else {key: entry.pop(key) for key in ("routes",) if key in entry}
    entry[name] = value
    entry.update(last)


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
