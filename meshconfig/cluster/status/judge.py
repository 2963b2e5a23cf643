"""Evaluates what was read of a group into its status. No I/O here."""

from collections.abc import Iterable, Iterator

from meshconfig.backend import Manifest, backend
from meshconfig.backend.kinds import ADOPTABLE, KINDS
from meshconfig.cluster.lease import Standing
from meshconfig.cluster.revision import RevisionStatus
from meshconfig.cluster.status.drift import drift
from meshconfig.cluster.status.pods import Workloads
from meshconfig.cluster.status.shares import copies, entry, lanes
from meshconfig.cluster.status.snapshot import GroupSnapshot
from meshconfig.cluster.status.status import ConsumerState, Drift, Held, How, ServiceState, Status
from meshconfig.model import RoutingState


def judge(snapshot: GroupSnapshot) -> Status:
    """The status of a group, from what was read."""
    outcome = snapshot.revision.seen(snapshot.holder)
    live = backend(snapshot.model.backend).lift(_read(snapshot), snapshot.model.tag)
    services = () if snapshot.revision.gone else tuple(_services(snapshot, live))
    consumers = () if snapshot.revision.gone else tuple(_consumers(snapshot))
    entries = () if snapshot.revision.gone else tuple(entry(one, live) for one in snapshot.model.entries)
    differs = drift(snapshot)
    return Status(
        revision=snapshot.revision,
        outcome=outcome,
        services=services,
        entries=entries,
        drift=differs,
        followed=snapshot.followed,
        lock=_held(snapshot),
        problems=(
            *map(str, snapshot.unreadable),
            *_last(snapshot, outcome),
            *_missing(services),
            *_missing_consumers(consumers),
            *map(_drifted, differs),
        ),
        consumers=consumers,
    )


def _read(snapshot: GroupSnapshot) -> Iterable[Manifest]:
    """The resources whose routes count: others' too, but with Gateway API others' Services make no routes."""
    every = {**snapshot.live.unmanaged, **snapshot.live.raw}
    return (one for name, one in every.items() if name in snapshot.live.raw or KINDS[name.kind] in ADOPTABLE)


def _services(snapshot: GroupSnapshot, live: RoutingState) -> Iterator[ServiceState]:
    workloads = Workloads(snapshot)
    for service in snapshot.model.services:
        spec = snapshot.spec.service(service.name)
        routed, copied = lanes(service, spec, live), copies(service, live)
        yield ServiceState(service.name, service.host, workloads.versions(spec), routed, copied)


def _consumers(snapshot: GroupSnapshot) -> Iterator[ConsumerState]:
    workloads = Workloads(snapshot)
    for name in snapshot.spec.spec.consumers:
        one = snapshot.spec.consumer(name)
        lanes = ((lane, one.version_in(lane)) for lane in snapshot.spec.spec.lanes)
        yield ConsumerState(
            name,
            one.spec.kind,
            one.spec.topic,
            workloads.consumer_versions(one),
            tuple((lane, version or one.baseline, version is not None) for lane, version in lanes),
            tuple((version, written.name) for version, written in one.spec.versions.items()),
        )


def _held(snapshot: GroupSnapshot) -> Held | None:
    if snapshot.record is None or snapshot.standing in (Standing.FREE, Standing.DEAD):
        return None
    return Held(snapshot.record.name, snapshot.record.acquired, snapshot.standing is Standing.EXPIRED)


def _last(snapshot: GroupSnapshot, outcome: RevisionStatus) -> Iterator[str]:
    """A problem unless the last apply succeeded."""
    name = f"revision {snapshot.revision.number} ({snapshot.revision.action})"
    match outcome:
        case RevisionStatus.RUNNING:
            yield f"{name} is running"
        case RevisionStatus.INTERRUPTED:
            yield f"{name} was interrupted; apply again to go on"
        case RevisionStatus.FAILED:
            yield f"{name} failed: {snapshot.revision.message.partition(chr(10))[0]}"


def _missing(services: Iterable[ServiceState]) -> Iterator[str]:
    """A problem for each version with too few Pods, or with none although requests go to it."""
    for service in services:
        used = {
            share.version
            for lane in service.lanes
            for share in lane.shares
            if share.percent and lane.how is not How.RUNTIME
        }
        for version in service.versions:
            pods = version.pods
            if pods and (version.is_short or (not pods.ready and version.name in used)):
                yield f"{service.name} {version.name}: {pods.ready} of {pods.wanted} Pods ready ({version.workload})"


def _missing_consumers(consumers: Iterable[ConsumerState]) -> Iterator[str]:
    """A problem for each version with too few Pods. Of one without any, the baseline's take the messages."""
    for consumer in consumers:
        for version in consumer.versions:
            if version.pods and version.pods.ready < version.pods.wanted:
                pods = f"{version.pods.ready} of {version.pods.wanted} Pods ready"
                yield f"{consumer.name} {version.name}: {pods} ({version.workload})"


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
