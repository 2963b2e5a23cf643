"""Resources as plain values: the key of one resource, and sets of resources by key."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

from meshconfig.backend.kinds import KINDS, kind_of
from meshconfig.bounded import one_line
from meshconfig.errors import ClusterError

Manifest = dict[str, Any]
CONTENT = ("spec", "data")  # the fields of which a resource has one, for what it says
MANAGER = "graylane"  # the field manager of server-side apply


class Key(NamedTuple):
    """Identifies a resource in a cluster, among the kinds that graylane writes."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


State = Mapping[Key, Manifest]


def key(manifest: Manifest) -> Key:
    metadata = manifest["metadata"]
    return Key(kind_of(manifest), metadata["namespace"], metadata["name"])


def state(manifests: Iterable[Manifest]) -> dict[Key, Manifest]:
    return {key(manifest): manifest for manifest in manifests}


class BlockedError(ClusterError):
    """A change cannot be made because of some of what it writes. Without that, the rest of it could be.

    Parameters:
        resources: what is wrong, in one line, by the resource that is in the way or too large.
    """

    def __init__(self, message: str, resources: Mapping[Key, str] | None = None) -> None:
        self.resources = dict(resources or {})
        super().__init__(message)


class UnreadableError(ClusterError):
    """An object in which graylane keeps its records cannot be read. Other records count without it.

    Parameters:
        what: the kind of record, such as `revision`.
        reason: what is wrong, in one line.
    """

    def __init__(self, key: Key, what: str, reason: str) -> None:
        self.key = key
        kind = KINDS[key.kind].resource if KINDS[key.kind].group else key.kind.lower()
        super().__init__(
            f"{key} is no {what} of graylane and cannot be read ({reason}); "
            f"to go on without it: kubectl delete {kind} {key.name} -n {key.namespace}"
        )

    def alone(self) -> Self:
        """The error without the frames and errors that led to it, which would keep all that was read in memory."""
        self.__context__ = self.__cause__ = None
        return self.with_traceback(None)

    @classmethod
    def of(cls, kind: str, record: Manifest, what: str, error: Exception) -> Self:
        """For an error of reading `record`, which has the metadata that every object of an API server has.

        Its kind is the caller's, who asked for it: that of an object out of a list need not be written in it.
        """
        metadata = record["metadata"]
        match error:
            case KeyError():
                reason = f"it has no {error.args[0]}"
            case ValueError():
                reason = str(error)
            case _:
                reason = f"{type(error).__name__}: {error}"
        return cls(Key(kind, metadata["namespace"], metadata["name"]), what, one_line(reason))
