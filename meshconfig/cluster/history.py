"""The revisions of a group, stored as ConfigMaps in its namespace: who applied what, and the result."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from meshconfig.bounded import KEPT, Highest
from meshconfig.cluster.client import Client
from meshconfig.cluster.lease import operator, process
from meshconfig.cluster.objects import Key, Manifest, UnreadableError
from meshconfig.cluster.paths import collection, path
from meshconfig.cluster.revision import (
    DELETE,
    KEEP,
    LAST,
    REVISION,
    Parts,
    Revision,
    RevisionStatus,
    TooLargeError,
    as_json,
    before_last,
    digest,
    document,
    inventory,
    last_applied,
    last_succeeded,
    left,
    manifest,
    number_in,
    parse,
    surplus,
)
from meshconfig.errors import ApiError, ClusterError, Conflict
from meshconfig.render import GROUP, MANAGED_BY
from meshconfig.spec import LaneGroup
from meshconfig.version import version

__all__ = [
    "DELETE",
    "KEEP",
    "Past",
    "Revision",
    "RevisionStatus",
    "TooLargeError",
    "as_json",
    "before_last",
    "begin",
    "end",
    "groups",
    "inventory",
    "last_applied",
    "last_succeeded",
    "read",
    "revisions",
]

_OURS = f"{MANAGED_BY}=graylane,{REVISION}"
_NO_REVIEW = (403, 404)  # a cluster that has no reviews of oneself, or does not let everybody make one
_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
_ATTEMPTS = 10
PAGE = 12  # ConfigMaps in one answer; each has up to a megabyte, and a group has KEEP revisions and a running one
MOST_ERRORS = 100  # revisions that cannot be read, and are told one by one
OUTLINED = 50  # revisions that a change knows till its end; a group has KEEP, unless somebody else has stored more
OVERHEAD = 2_000  # bytes of a revision in memory, beside its parts


@dataclass(frozen=True, slots=True)
class Past:
    """The history of a group: its revisions, oldest first, and an error for each one that cannot be read."""

    namespace: str
    group: str
    revisions: tuple[Revision, ...]
    unreadable: tuple[UnreadableError, ...] = ()

    @property
    def last(self) -> Revision | None:
        """The newest revision that can be read."""
        return self.revisions[-1] if self.revisions else None

    @property
    def damaged(self) -> UnreadableError | None:
        """The newest revision, if it cannot be read: then nobody knows what was applied last."""
        known = self.last.number if self.last else 0
        return max((one for one in self.unreadable if self._number(one) > known), key=self._number, default=None)

    @property
    def number(self) -> int:
        """The number of the newest revision, readable or not; 0 for none."""
        newest = self.damaged
        return self._number(newest) if newest else self.last.number if self.last else 0

    @property
    def outline(self) -> "Past":
        """What a change needs of it till its end: the newest revisions without their parts, but for what the last one
        has taken over."""
        safe = last_succeeded(self.revisions)
        kept = [one for one in self.revisions[:-OUTLINED] if one is safe] + list(self.revisions[-OUTLINED:])
        last = self.last
        bare = (one.bare(adopted=one is last) for one in kept)
        return replace(self, revisions=tuple(bare))

    def unreadable_number(self, number: int) -> UnreadableError | None:
        """The error of this revision, if it is there and cannot be read."""
        return next((one for one in self.unreadable if self._number(one) == number), None)

    def _number(self, one: UnreadableError) -> int:
        return number_in(one.key.name, self.group)


def read(client: Client, namespace: str, group: str) -> Past:
    """The history of a group. Makes one API call for a dozen revisions."""
    new = partial(_Found, group)
    selector = f"{_OURS},{GROUP}={group}"
    with client.lists.of(group):
        found = client.read_into(new, _Found.add, "ConfigMap", namespace, selector, page=PAGE, stored=True)
    return Past(namespace, group, tuple(found.revisions.items), tuple(found.errors()))


class LeftOutError(UnreadableError):
    """The oldest revisions are not read, because the newer ones take the memory for all.

    Parameters:
        newest: of those that are left out; `count`: how many they are.
    """

    def __init__(self, newest: Revision, count: int) -> None:
        self.key = newest.key
        named = f"{GROUP}={newest.group},{REVISION}"
        ClusterError.__init__(
            self,
            f"{count} revisions of {newest.namespace}/{newest.group} up to {newest.number} are not read, because newer "
            f"ones take over {KEPT >> 20} MiB; to see all: kubectl get configmaps -n {newest.namespace} -l {named}",
        )


@dataclass
class _Found:
    """The newest revisions, and the newest that cannot be read. Somebody may have stored any number of them."""

    group: str
    revisions: Highest[Revision] = field(default_factory=Highest)
    unreadable: Highest[UnreadableError] = field(default_factory=lambda: Highest(MOST_ERRORS))

    def add(self, config_map: Manifest) -> None:
        try:
            one = parse(config_map)
        except UnreadableError as error:
            self.unreadable.add(number_in(error.key.name, self.group), 1, error.alone())
        else:
            self.revisions.add(one.number, one.parts.size + OVERHEAD, one)

    def errors(self) -> list[UnreadableError]:
        """One for each, and one for all that are left out."""
        found = self.unreadable.items
        if count := self.unreadable.omitted:
            found[0] = UnreadableError(found[0].key, "revision", f"nor can {count} others")
        if left_out := self.revisions.next:
            found.append(LeftOutError(left_out, self.revisions.omitted))
        return found


def revisions(client: Client, namespace: str, group: str) -> list[Revision]:
    """The revisions that can be read, oldest first. Makes one API call."""
    return list(read(client, namespace, group).revisions)


def groups(client: Client, namespace: str) -> list[str]:
    """The groups with revisions in a namespace. Makes one API call for a dozen revisions."""

    def add(found: set[str], config_map: Manifest) -> None:
        labels = config_map["metadata"].get("labels") or {}
        if GROUP in labels:
            found.add(labels[GROUP])

    def new() -> set[str]:
        return set()

    found = client.read_into(new, add, "ConfigMap", namespace, _OURS, page=PAGE, stored=True)
    return sorted(found)


def begin(
    client: Client,
    *,
    spec: LaneGroup,
    action: str,
    inventory: Iterable[Key],
    changed: Iterable[str],
    past: Sequence[Revision],
    newest: int = 0,
    keep: int = KEEP,
    adopted: Iterable[Manifest] = (),
) -> Revision:
    """Store a new revision as running, before the change's first write, and delete the oldest ones.

    Parameters:
        action: `apply`, `rollback to N` or `delete`, shown by `graylane history`.
        inventory: every resource that the group may own from now on: the wanted and the live ones.
        changed: `str` of each `diff.ResourceDiff`.
        past: the group's revisions, as returned by `revisions`.
        newest: the number of the newest revision that is there, if that one cannot be read.
        adopted: the resources of others that the group has taken over, as they were before.

    Raises:
        TooLargeError: the revision does not fit into a ConfigMap; nothing was written.
    """
    written = document(spec)
    one = Revision(
        namespace=spec.metadata.namespace,
        group=spec.metadata.name,
        number=max(newest, past[-1].number if past else 0),
        parts=Parts.of(written, inventory, changed, tuple(adopted)),
        hash=digest(written),
        who=user(client),
        host=operator(),
        process=process(),
        started=_now(),
        ended=None,
        action=action,
        outcome=RevisionStatus.RUNNING,
        message="",
        version=version(),
    )
    one = _created(client, one)
    with suppress(ApiError):  # forbidden or already gone: the next apply tries again
        client.map_concurrently(client.delete, [old.key for old in surplus([*past, one], keep)])
    return one


def _created(client: Client, one: Revision) -> Revision:
    """Create the ConfigMap under the next free number."""
    for _ in range(_ATTEMPTS):
        if one.number >= LAST:
            raise ClusterError(
                f"{one.key} has the last number that a revision may have, and is most likely forged; to go on without "
                f"it: kubectl delete configmap {one.key.name} -n {one.namespace}"
            )
        one = replace(one, number=one.number + 1)
        try:
            client.request("POST", collection("ConfigMap", one.namespace), manifest(one))
        except Conflict:
            # It may be our own: the server created it, but its answer was lost and the request was sent again.
            if not any(_same(one, there) for there in revisions(client, one.namespace, one.group)):
                continue
        return one
    raise ClusterError(f"{_ATTEMPTS} revisions of {one.namespace}/{one.group} were begun since its history was read")


def _same(one: Revision, other: Revision) -> bool:
    """Whether they are the same attempt of the same process."""
    return replace(one, parts=other.parts, who=other.who, host=other.host) == other


def end(client: Client, one: Revision, outcome: RevisionStatus, message: str = "") -> Revision:
    """Store the result of a revision. If that fails after a failed change, the revision shows as interrupted."""
    ended = replace(one, outcome=outcome, message=message, ended=_now())
    with client.reading.of():
        if outcome is RevisionStatus.SUCCEEDED:
            kept = Parts.of(b"", left(one.inventory, one.changed)).inventory
            ended = replace(ended, parts=one.parts._replace(inventory=kept))
        written = manifest(ended)
    try:
        client.request("PUT", path(one.key), written)
    except ClusterError:
        if outcome is RevisionStatus.SUCCEEDED:
            raise
    return ended


def user(client: Client) -> str:
    """The user's name at the API server; empty before Kubernetes 1.28, which cannot tell. Makes one API call.

    Raises:
        ClusterError: the credentials are not accepted, or the API server cannot answer now.
    """
    try:
        review = client.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", _REVIEW)
    except ApiError as error:
        if error.status not in _NO_REVIEW:
            raise
        return ""
    return str(review.get("status", {}).get("userInfo", {}).get("username", ""))


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
