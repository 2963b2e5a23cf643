"""Checks a rollout against its LaneGroup, for the problems that no field shows by itself."""

from collections.abc import Iterator

from meshconfig.compile import problems
from meshconfig.compile.buckets import owners
from meshconfig.compile.check import Wrong
from meshconfig.errors import InputError, Problem, dotted, nearest
from meshconfig.exchange.urls import parse_url
from meshconfig.load import Document, FieldPath
from meshconfig.rollout import steps
from meshconfig.rollout.canary_lane import NoCanaryLaneError, canary_lane, version_of
from meshconfig.spec.base import validate
from meshconfig.spec.group import Entry, LaneGroup
from meshconfig.spec.rollout import Rollout

KIND = "Rollout"
MOST_WEBHOOKS = 20
SPEC: FieldPath = ("spec",)


def parse(document: Document) -> Rollout:
    """
    Raises:
        InputError: the document is no valid Rollout. It names each problem with file, line and field.
    """
    return validate(Rollout, document.value, document.locate)


def fits(rollout: Rollout, group: LaneGroup, document: Document) -> None:
    """
    Raises:
        InputError: what `check` finds, with file, line and field.
    """
    if wrong := list(check(rollout, group)):
        raise InputError(sorted({Problem(document.locate(path), dotted(path), said) for path, said in wrong}))


def check(rollout: Rollout, group: LaneGroup) -> Iterator[Wrong]:
    """Yields each problem that a rollout has with this group: the path of a field, and a message."""
    found = [*_names(rollout, group), *_urls(rollout)]
    found = found or [*_untagged(rollout, group), *_entry(rollout, group), *_needed(rollout, group)]
    yield from found or _on_the_way(rollout, group)


def _urls(rollout: Rollout) -> Iterator[Wrong]:
    """What the schema does not ask of a URL. The schema cannot: rollouts that are stored already have to be read."""
    analysis, notify = rollout.spec.analysis, rollout.spec.notify
    found: list[tuple[FieldPath, str]] = [(("notify", index, "url"), one.url) for index, one in enumerate(notify)]
    found += [(("analysis", "prometheus"), analysis.prometheus)] if analysis else []
    for path, url in found:
        try:
            parse_url(url)
        except ValueError as error:
            yield (*SPEC, *path), str(error)
    if len(notify) > MOST_WEBHOOKS:
        yield (*SPEC, "notify"), f"takes at most {MOST_WEBHOOKS} webhooks, not {len(notify)}"


def _names(rollout: Rollout, group: LaneGroup) -> Iterator[Wrong]:
    mine = (rollout.metadata.namespace, rollout.spec.group)
    theirs = (group.metadata.namespace, group.metadata.name)
    if mine != theirs:
        yield (*SPEC, "group"), f"this is group {'/'.join(mine)}, not {'/'.join(theirs)}"
    for service, move in rollout.spec.services.items():
        where = (*SPEC, "services", service)
        if service not in group.spec.services:
            yield where, f"there is no service {service}{nearest(service, group.spec.services)}"
            continue
        if group.spec.services[service].external:
            yield where, "it is outside the mesh, and a rollout needs Pods: shift it by `graylane version weights`"
        versions = group.spec.services[service].versions
        for field, version in (("from", move.from_), ("to", move.to)):
            if version not in versions:
                yield (*where, field), f"there is no version of {service} {version}{nearest(version, versions)}"
    hosts = [host for entry in group.spec.entries for host in entry.hosts]
    if rollout.spec.entry is not None and rollout.spec.entry not in hosts:
        yield (*SPEC, "entry"), f"there is no entry {rollout.spec.entry}{nearest(rollout.spec.entry, hosts)}"


def _untagged(rollout: Rollout, group: LaneGroup) -> Iterator[Wrong]:
    """A rollout begins with all untagged requests at the old version, because that is what it goes back to."""
    for service, move in rollout.spec.services.items():
        here = group.service(service)
        weights = {name: one for name, one in (here.spec.weights or {}).items() if one}
        now = weights or ({here.baseline: 1} if here.baseline else {})
        if set(now) != {move.from_}:
            share = ", ".join(f"{name}: {one}" for name, one in now.items()) if len(now) > 1 else "".join(map(str, now))
            yield (*SPEC, "services", service, "from"), f"untagged requests to {service} get {share}, not {move.from_}"


def _entry(rollout: Rollout, group: LaneGroup) -> Iterator[Wrong]:
    where = (*SPEC, "entry")
    entries = [one for one in group.spec.entries if rollout.spec.entry in one.hosts]
    if len(entries) > 1:
        yield where, f"{len(entries)} entries have this host"
    for entry in entries:
        if any(one for lane, one in (entry.split or {}).items() if lane != group.spec.tag.default):
            yield where, "this entry has a split already, and a rollout makes its own"
    for service, move in rollout.spec.services.items() if entries else ():
        if version_of(group, service, group.spec.tag.default) != move.from_:
            lane = group.spec.tag.default
            yield (
                where,
                f"a split sends requests to the baseline's lane {lane}, which does not have {move.from_} of {service}",
            )
        yield from _buckets(rollout, entry)
    try:
        canary_lane(rollout, group)
    except NoCanaryLaneError as error:
        yield where, str(error)


def _buckets(rollout: Rollout, entry: Entry) -> Iterator[Wrong]:
    """A weight that no user would see: a step would pass, and its metrics with it, because nothing has happened."""
    buckets = entry.sticky.buckets if entry.sticky else 0
    for index, step in enumerate(rollout.spec.steps if buckets else ()):
        weight = step.weights[0] if step.weights else 0
        if weight and "new" not in owners({"new": weight, "old": 100 - weight}, "old", ["new"], buckets):
            said = f"{weight} % is less than half of one of the entry's {buckets} sticky buckets, so no user would move"
            yield (*SPEC, "steps", index), said


def _needed(rollout: Rollout, group: LaneGroup) -> Iterator[Wrong]:
    """An old version that is to be retired may not be used by anything else."""
    if rollout.spec.keep_old is None:
        return
    for service, move in rollout.spec.services.items():
        here = group.service(service)
        lanes = [lane for lane in group.spec.lanes if lane != group.spec.tag.default]
        users = [f"lane {lane}" for lane in lanes if here.version_in(lane) == move.from_]
        users += [f"rules[{n}]" for n, rule in enumerate(here.spec.rules) if move.from_ in rule.weights]
        if users:
            said = f"{move.from_} of {service} cannot be retired while {' and '.join(users)} would use it"
            yield (*SPEC, "keepOld"), f"{said}; without keepOld it stays"


def _on_the_way(rollout: Rollout, group: LaneGroup) -> Iterator[Wrong]:
    """Each group on the way compiles."""
    before = set(problems(group, stored=True))
    way = [steps.at_weight(group, rollout, weight) for weight in (1, 100)]
    for one in (*way, steps.taken_over(group, rollout), steps.ended(group, rollout)):
        for path, message in problems(one, stored=True):
            if (path, message) not in before:
                yield SPEC, f"a step would make the group invalid: {dotted(path)}: {message}"
                return
