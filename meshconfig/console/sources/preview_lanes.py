"""Preview lanes of a group in a cluster: proposed, made, prolonged and ended, with the person's own rights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from meshconfig.cluster import lanegroups, previews
from meshconfig.cluster.change import Wanted
from meshconfig.cluster.client import Client
from meshconfig.cluster.object_write import document_of
from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.previews import PreviewObject
from meshconfig.console.faults import ChangedError, MissingError, TakenError
from meshconfig.console.proposal import PlannedStep, planned_steps
from meshconfig.console.refs import GroupRef
from meshconfig.edit.files import FileChange
from meshconfig.errors import Conflict, InputError, Location, Problem, dotted
from meshconfig.preview import beside, check
from meshconfig.preview.overlay import with_previews
from meshconfig.render import to_yaml
from meshconfig.rollout import beside as rollouts
from meshconfig.spec import API_VERSION, LaneGroup, PreviewLane
from meshconfig.spec.base import validate

BETWEEN = ";"  # stands for a line break between versions


@dataclass(frozen=True, slots=True)
class LaneProposal:
    """A preview lane before it is made.

    Parameters:
        diff: its object, as lines of a unified diff from nothing.
        spec_diff: what lies over the group's spec then.
        steps: the plan of the group with it, once its Pods are ready.
        unplanned: why there is no plan to show.
    """

    name: str
    diff: Sequence[str]
    spec_diff: Sequence[str]
    steps: Sequence[PlannedStep]
    unplanned: str


def document(ref: GroupRef, name: str, ttl: str, lines: str) -> Manifest:
    """A Lane as a form asks for it; the API server validates it.

    Parameters:
        lines: `SERVICE FROM [IMAGE]` to clone a version, or `SERVICE KEY=VALUE,…` for Pods that exist, a line each.
            `;` stands for a line break.

    Raises:
        InputError: a field is missing or makes no sense.
    """
    versions: dict[str, Manifest] = {}
    for line in filter(None, map(str.split, lines.replace(BETWEEN, "\n").splitlines())):
        service, *rest = line
        if service in versions or not 1 <= len(rest) <= 2:
            raise InputError.at("versions", f"takes SERVICE FROM [IMAGE] once for each service, not {' '.join(line)!r}")
        versions[service] = _version(rest)
    value = {
        "apiVersion": API_VERSION,
        "kind": previews.KIND,
        "metadata": {"name": name, "namespace": ref.namespace},
        "spec": {"group": ref.name, "versions": versions, "ttl": ttl},
    }
    _read(value, ref)
    return value


def propose(client: Client, ref: GroupRef, value: Manifest) -> LaneProposal:
    """What a Lane makes of its group. Nothing is written.

    Raises:
        InputError: it does not fit the group.
        MissingError: the group has no object, so that no controller makes lanes of it.
        TakenError: there is a Lane of this name.
    """
    lane, group = _read(value, ref), _group(client, ref)
    place = Location(f"Lane {ref.namespace}/{lane.metadata.name}")
    if wrong := [Problem(place, dotted(path), said) for path, said in check.check(lane, group)]:
        raise InputError(wrong)
    if previews.read(client, ref.namespace, lane.metadata.name):
        raise _taken(place)
    there = beside.routed(client, ref.namespace, ref.name)
    before = with_previews(group, there).spec
    after = with_previews(group, [*there, check.routed(lane)]).spec
    unplanned: list[str] = []
    prepared = rollouts.planned(client, Wanted(ref.name, ref.namespace, after), unplanned.append)
    texts = [to_yaml([document_of(one)]) for one in (before, after)]
    return LaneProposal(
        lane.metadata.name,
        FileChange(str(place), None, to_yaml([value])).diff(),
        FileChange(str(ref), *texts).diff(),
        planned_steps(prepared.plan.steps) if prepared else (),
        "; ".join(unplanned),
    )


def make(client: Client, value: Manifest) -> None:
    """Create a Lane.

    Raises:
        TakenError: there is one of its name.
        ApiError: the API server refuses it, or the person may not create it.
    """
    try:
        previews.create(client, value)
    except Conflict:
        raise _taken(Location(f"Lane {value['metadata']['namespace']}/{value['metadata']['name']}")) from None


def _taken(place: Location) -> TakenError:
    return TakenError(f"{place} is there already")


def found(client: Client, ref: GroupRef, name: str) -> PreviewObject:
    """
    Raises:
        MissingError: the group has no such preview lane.
    """
    one = previews.read(client, ref.namespace, name)
    if one is None or one.group != ref.name:
        raise MissingError(f"group {ref} has no preview lane {name}")
    return one


def prolong(client: Client, ref: GroupRef, name: str, hours: int, mark: str) -> None:
    """Keep a lane for so many hours from its end on, or from now on if that is later.

    Parameters:
        mark: `mark_of` the lane that the person has seen.

    Raises:
        MissingError: there is none.
        ChangedError: somebody else has prolonged it since.
    """
    one, now = found(client, ref, name), datetime.now(UTC)
    if mark_of(one) != mark:
        end = f"{one.ends:%Y-%m-%d %H:%M} UTC" if one.ends else "not known"
        raise ChangedError(f"the end of the preview lane {name} was changed since you looked at it: it is {end}")
    try:
        previews.keep_until(
            client, ref.namespace, name, max(one.ends or now, now) + timedelta(hours=hours), one.version
        )
    except Conflict:
        raise ChangedError(f"the preview lane {name} was changed since you looked at it") from None


def mark_of(one: PreviewObject) -> str:
    """A name for the lane and its end as they are now, also before a controller has seen what prolongs it."""
    return f"{one.uid}/{one.ends.isoformat() if one.ends else ''}"


def _version(words: Sequence[str]) -> Manifest:
    first, *image = words
    if "=" not in first:
        return {"from": first, **({"image": image[0]} if image else {})}
    if image:
        raise InputError.at("versions", f"takes labels or an image, not both: {' '.join(words)!r}")
    pairs = [word.partition("=") for word in first.split(",")]
    return {"labels": {key: value for key, _, value in pairs}}


def _read(value: Mapping[str, object], ref: GroupRef) -> PreviewLane:
    return validate(PreviewLane, dict(value), lambda path: Location(f"a preview lane of {ref}"))


def _group(client: Client, ref: GroupRef) -> LaneGroup:
    one = lanegroups.find(client, ref.namespace, ref.name)
    if one is None:
        raise MissingError(f"group {ref} has no LaneGroup object, and preview lanes are made by its controller alone")
    return one.spec()
