"""The revisions of a group, kept in its namespace: what was applied by whom, and how it ended."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from meshconfig.cluster.client import Client
from meshconfig.cluster.lease import operator, process
from meshconfig.cluster.objects import Key
from meshconfig.cluster.paths import collection, path
from meshconfig.cluster.revision import (
    DELETE,
    KEEP,
    REVISION,
    Revision,
    RevisionStatus,
    TooLargeError,
    as_json,
    before_last,
    digest,
    document,
    inventory,
    last_succeeded,
    left,
    manifest,
    parse,
    surplus,
)
from meshconfig.errors import ApiError, ClusterError, Conflict
from meshconfig.render import GROUP, MANAGED_BY
from meshconfig.spec import LaneGroup

__all__ = [
    "DELETE",
    "KEEP",
    "Revision",
    "RevisionStatus",
    "TooLargeError",
    "as_json",
    "before_last",
    "begin",
    "end",
    "groups",
    "inventory",
    "last_succeeded",
    "revisions",
]

_OURS = f"{MANAGED_BY}=graylane,{REVISION}"
_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
_ATTEMPTS = 10


def revisions(client: Client, namespace: str, group: str) -> list[Revision]:
    """All that are kept, the oldest first. One call."""
    found = client.list_resources("ConfigMap", namespace, f"{_OURS},{GROUP}={group}")
    return sorted(map(parse, found), key=lambda one: one.number)


def groups(client: Client, namespace: str) -> list[str]:
    """The groups that have revisions here. One call."""
    return sorted({one["metadata"]["labels"][GROUP] for one in client.list_resources("ConfigMap", namespace, _OURS)})


def begin(
    client: Client,
    *,
    spec: LaneGroup,
    action: str,
    inventory: Iterable[Key],
    changed: Iterable[str],
    past: Sequence[Revision],
    keep: int = KEEP,
) -> Revision:
    """Remember that a change begins, before its first write; the oldest are forgotten.

    Parameters:
        action: `apply`, `rollback to N` or `delete`.
        inventory: what the group may own from now on: what is wanted and what is there.
        changed: `str` of each `diff.Difference`.
        past: the group's revisions, as `revisions` gives them.

    Raises:
        TooLargeError: before anything is written.
    """
    written = document(spec)
    one = Revision(
        namespace=spec.metadata.namespace,
        group=spec.metadata.name,
        number=past[-1].number if past else 0,
        document=written,
        hash=digest(written),
        inventory=frozenset(inventory),
        changed=tuple(changed),
        who=user(client),
        host=operator(),
        process=process(),
        started=_now(),
        ended=None,
        action=action,
        outcome=RevisionStatus.RUNNING,
        message="",
        version=_version(),
    )
    one = _created(client, one)
    with suppress(ApiError):  # forbidden or already gone: the next apply tries again
        client.map_concurrently(client.delete, [old.key for old in surplus([*past, one], keep)])
    return one


def _created(client: Client, one: Revision) -> Revision:
    """Under the next number that is free."""
    for _ in range(_ATTEMPTS):
        one = replace(one, number=one.number + 1)
        try:
            client.request("POST", collection("ConfigMap", one.namespace), manifest(one))
        except Conflict:
            if one not in revisions(client, one.namespace, one.group):  # else our own, the answer to it was lost
                continue
        return one
    raise ClusterError(f"{_ATTEMPTS} revisions of {one.namespace}/{one.group} were begun since its history was read")


def end(client: Client, one: Revision, outcome: RevisionStatus, message: str = "") -> Revision:
    """Remember how it ended. That a failure cannot be written does not hide it: it then shows as interrupted."""
    kept = left(one.inventory, one.changed) if outcome is RevisionStatus.SUCCEEDED else one.inventory
    ended = replace(one, outcome=outcome, message=message, ended=_now(), inventory=kept)
    try:
        client.request("PUT", path(one.key), manifest(ended))
    except ClusterError:
        if outcome is RevisionStatus.SUCCEEDED:
            raise
    return ended


def user(client: Client) -> str:
    """Who the API server takes us for; empty where it is older than 1.28 and cannot say. One call."""
    try:
        review = client.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", _REVIEW)
    except ApiError:
        return ""
    return str(review.get("status", {}).get("userInfo", {}).get("username", ""))


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _version() -> str:
    try:
        return version("graylane")
    except PackageNotFoundError:  # run from a folder
        return ""
