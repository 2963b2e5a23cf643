"""A status as JSON."""

from collections.abc import Iterable
from typing import Any

from meshconfig.cluster import revision
from meshconfig.cluster.status.status import ConsumerState, Drift, Held, ServiceState, Share, Status, VersionState
from meshconfig.draws import Draw

# What is null where the mesh cannot be read.
KEYS = ("revision", "lock", "barrier", "services", "consumers", "entries", "drift")


def as_json(status: Status) -> dict[str, Any]:
    """The status as JSON. All of these keys are always present:

    group, namespace, healthy (bool), problems (lines for people),
    revision: {revision, action, outcome, started, ended, who, host, message, hash, changed, version,
        adopted},
    lock: null or {holder, since, expired},
    barrier: {state: verified | pending | unverified, acknowledged, proxies, reason}; numbers are null if unverified,
    services: [{service, host, versions: [{version, workload, ready, wanted}],
                lanes: [{lane, how: own | runtime | fallback | refused | none, shares: [{version, percent}]}],
                copies: [{version, percent}]}];
                lane is null for untagged requests; ready and wanted are null where Pods cannot be read,
    consumers: [{consumer, kind, topic, versions: [{version, name, workload, ready, wanted}],
                 lanes: [{lane, version, own}]}]; name is the version's group or queue,
    entries: [{hosts, split: [{lane, percent}], doors: {cookie, link, host},
               sticky: null or {cookie, buckets, owners: [{owner, first, last}]}}]; each door is a list of lanes, and
             absent where the entry has none; an owner is a lane, a version, or both,
    drift: [{kind, namespace, name, change, fields: [{path, live, wanted}], changedBy: [{manager, time, fields}]}].
    """
    holder = f"{status.revision.process}/" if status.outcome == revision.RevisionStatus.RUNNING else ""
    return {
        "group": status.revision.group,
        "namespace": status.revision.namespace,
        "healthy": status.healthy,
        "problems": list(status.problems),
        "revision": revision.as_json(status.revision, holder),
        "lock": _lock(status.lock),
        "barrier": {
            "state": barrier(status),
            "acknowledged": status.followed.acknowledged,
            "proxies": status.followed.proxies,
            "reason": status.followed.reason,
        },
        "services": [_service(one) for one in status.services],
        "consumers": [_consumer(one) for one in status.consumers],
        "entries": [
            {
                "hosts": list(one.hosts),
                "split": [{"lane": lane, "percent": share} for lane, share in one.split],
                "doors": {way: list(lanes) for way, lanes in one.doors.items()},
                "sticky": _sticky(one.sticky),
            }
            for one in status.entries
        ],
        "drift": [_drift(one) for one in status.drift],
    }


def _sticky(draw: Draw | None) -> dict[str, Any] | None:
    if draw is None:
        return None
    owners = [{"owner": owner, "first": first, "last": last} for owner, first, last in draw.runs]
    return {"cookie": draw.cookie, "buckets": draw.buckets, "owners": owners}


def barrier(status: Status) -> str:
    """`verified` means that every proxy has acknowledged everything that istiod sent to it."""
    followed = status.followed
    if followed.acknowledged is None or followed.reason:
        return "unverified"
    return "verified" if followed.acknowledged == followed.proxies else "pending"


def _lock(held: Held | None) -> dict[str, Any] | None:
    if held is None:
        return None
    return {"holder": held.name, "since": revision.text(held.since) or None, "expired": held.expired}


def _service(one: ServiceState) -> dict[str, Any]:
    return {
        "service": one.name,
        "host": one.host,
        "versions": [_version(version) for version in one.versions],
        "lanes": [{"lane": lane.name, "how": lane.how.value, "shares": _shares(lane.shares)} for lane in one.lanes],
        "copies": _shares(one.copies),
    }


def _consumer(one: ConsumerState) -> dict[str, Any]:
    names = dict(one.names)
    return {
        "consumer": one.name,
        "kind": one.kind,
        "topic": one.topic,
        "versions": [{**_version(version), "name": names[version.name]} for version in one.versions],
        "lanes": [{"lane": lane, "version": version, "own": own} for lane, version, own in one.lanes],
    }


def _version(version: VersionState) -> dict[str, Any]:
    return {
        "version": version.name,
        "workload": version.workload,
        "ready": version.pods.ready if version.pods else None,
        "wanted": version.pods.wanted if version.pods else None,
    }


def _shares(shares: Iterable[Share]) -> list[dict[str, Any]]:
    return [{"version": share.version, "percent": round(share.percent, 4)} for share in shares]


def _drift(one: Drift) -> dict[str, Any]:
    by = [{"manager": each.manager, "time": each.time, "fields": list(each.fields)} for each in one.by]
    return {**one.difference.as_json(), "changedBy": by}
