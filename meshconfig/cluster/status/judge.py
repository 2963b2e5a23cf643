"""From what was read to how the group is. Pure."""

from collections.abc import Iterable, Iterator

from meshconfig.cluster.lease import Standing
from meshconfig.cluster.revision import Outcome
from meshconfig.cluster.status.drift import drift
from meshconfig.cluster.status.pods import Workloads
from meshconfig.cluster.status.seen import Seen
from meshconfig.cluster.status.shares import entry, lanes
from meshconfig.cluster.status.status import Drift, EntryState, Held, How, ServiceState, Status
from meshconfig.compile.services import Plan


def judge(seen: Seen) -> Status:
    """How the group is."""
    outcome = seen.revision.seen(seen.holder)
    services = () if seen.revision.gone else tuple(_services(seen))
    entries = () if seen.revision.gone else tuple(_entries(seen))
    differs = drift(seen)
    return Status(
        revision=seen.revision,
        outcome=outcome,
        services=services,
        entries=entries,
        drift=differs,
        followed=seen.followed,
        lock=_held(seen),
        problems=(*_last(seen, outcome), *_missing(services), *map(_drifted, differs)),
    )


def _services(seen: Seen) -> Iterator[ServiceState]:
    workloads = Workloads(seen)
    raw = {**seen.live.strangers, **seen.live.raw}
    for service in seen.model.services:
        spec = seen.spec.spec.services[service.name]
        plan = Plan(service.name, spec, seen.spec)
        versions = workloads.versions(service, spec)
        yield ServiceState(service.name, service.host, versions, lanes(service, plan, raw))


def _entries(seen: Seen) -> Iterator[EntryState]:
    return (entry(one, seen.model.tag, seen.live.raw) for one in seen.model.entries)


def _held(seen: Seen) -> Held | None:
    if seen.record is None or seen.standing in (Standing.FREE, Standing.DEAD):
        return None
    return Held(seen.record.name, seen.record.acquired, seen.standing is Standing.EXPIRED)


def _last(seen: Seen, outcome: Outcome) -> Iterator[str]:
    """Unless the last apply succeeded, what became of it."""
    name = f"revision {seen.revision.number} ({seen.revision.action})"
    match outcome:
        case Outcome.RUNNING:
            yield f"{name} is running"
        case Outcome.INTERRUPTED:
            yield f"{name} was interrupted; apply again to go on"
        case Outcome.FAILED:
            yield f"{name} failed: {seen.revision.message.partition(chr(10))[0]}"


def _missing(services: Iterable[ServiceState]) -> Iterator[str]:
    """Versions with fewer Pods than they should have, or none while requests go to them."""
    for service in services:
        used = {
            share.version
            for lane in service.lanes
            for share in lane.shares
            if share.percent and lane.how is not How.RUNTIME
        }
        for version in service.versions:
            pods = version.pods
            if pods and (pods.ready < pods.wanted or (not pods.ready and version.name in used)):
                yield f"{service.name} {version.name}: {pods.ready} of {pods.wanted} Pods ready ({version.workload})"


def _drifted(one: Drift) -> str:
    """`drift: VirtualService demo/cat-svc: spec.http[0].weight, by kubectl-edit at 2026-01-01T00:00:00Z`."""
    difference = one.difference
    by = "".join(f", by {each.manager} at {each.time}" for each in one.by[:2])
    if difference.live is None:
        return f"drift: {difference.key} is missing"
    if difference.wanted is None:
        return f"drift: {difference.key} should be gone{by}"
    paths = [field.path for field in difference.fields()]
    shown = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more fields" if len(paths) > 3 else "")
    return f"drift: {difference.key}: {shown}{by}"
