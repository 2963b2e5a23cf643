"""Follows the objects of a kind: a list first, then what changes, as the API server tells it. No polling.

`kubernetes.informer` does the same, but keeps every object whole, reads a list as one answer, and waits without end on
a connection that is dead. A controller of a thousand groups has not that much memory, and no thread to lose.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event
from typing import Any

from meshconfig.cluster.client import GONE, Client
from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.paths import collection
from meshconfig.errors import ApiError, ClusterError, Unreachable

SECONDS = 240  # of one watch, and up to a quarter more, so that those of many processes do not begin anew together
GRACE = 15.0  # seconds after which an end that the server should have made is made here
AGAIN = 1.0, 30.0  # seconds before the next try after an error: of the first, and at most
LARGEST = 8 << 20  # bytes of one event; an object in etcd has 1.5 MiB
FORBIDDEN = (401, 403)


class Change(StrEnum):
    """What became of an object."""

    THERE = "there"  # it was added or changed
    GONE = "gone"


Seen = Callable[[Change, Manifest], object]


@dataclass(slots=True)
class Watch:
    """All objects of a kind in a namespace, until `stop` is set. For one thread.

    Parameters:
        namespace: empty for all.
        seen: gets each object that is there when the watch begins, and then each change. Nothing of it is kept here.
        failed: gets each error; the watch begins anew by itself.
        selector: labels that the objects have.
        name: of the one object that is followed; empty for all.
        istio_api: the API version of Istio's kinds.
        known: the objects that `seen` has, by namespace and name, for what is gone at a new list. Given at the
            beginning, those that the caller has read: what of them is gone meanwhile is told.

    Attributes:
        synced: set once every object that was there has been given to `seen`.
    """

    client: Client
    kind: str
    namespace: str
    seen: Seen
    stop: Event
    failed: Callable[[ClusterError], object] = lambda error: None
    selector: str = ""
    name: str = ""
    istio_api: str = "v1"
    synced: Event = field(default_factory=Event)
    known: dict[tuple[str, str], Manifest] = field(default_factory=dict)

    def run(self) -> None:
        """Returns when `stop` is set."""
        version, pause = "", 0.0
        while not self.stop.wait(pause):
            try:
                if not version:
                    version = self._list()
                    self.synced.set()
                version, pause = self._follow(version), 0.0
            except ClusterError as error:
                version = "" if _lost(error) else version
                pause = min(max(AGAIN[0], pause * 2), AGAIN[1])
                self.failed(error)

    def _list(self) -> str:
        """Gives every object, and those that went away since the last list; the version from which to follow."""
        where, query = self._where, self._query({"limit": "500"})
        there: dict[tuple[str, str], Manifest] = {}
        while True:
            page = self.client.request("GET", where, query=query)
            for one in page.get("items") or ():
                there[_name(one)] = self._give(Change.THERE, one)
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                break
            query["continue"] = metadata["continue"]
        for name in self.known.keys() - there.keys():
            self.seen(Change.GONE, self.known[name])
        self.known = there
        return str(metadata.get("resourceVersion") or "")

    def _follow(self, version: str) -> str:
        """Gives what changes until the server ends the watch; the version from which to go on."""
        seconds = SECONDS + random.randint(0, SECONDS // 4)
        query = self._query({"watch": "1", "resourceVersion": version, "timeoutSeconds": str(seconds)})
        query["allowWatchBookmarks"] = "true"
        for event in _events(self.client.stream(self._where, query, seconds + GRACE)):
            one = event.get("object")
            if self.stop.is_set() or not isinstance(one, dict):
                break
            kind, metadata = event.get("type"), one.get("metadata") or {}
            if kind == "ERROR":
                raise ApiError(int(one.get("code") or 0), str(one.get("reason")), str(one.get("message")))
            if kind in ("ADDED", "MODIFIED"):
                self.known[_name(one)] = self._give(Change.THERE, one)
            elif kind == "DELETED":
                self.known.pop(_name(one), None)
                self._give(Change.GONE, one)
            version = str(metadata.get("resourceVersion") or version)
        return version

    @property
    def _where(self) -> str:
        return collection(self.kind, self.namespace, self.istio_api)

    def _query(self, query: dict[str, str]) -> dict[str, str]:
        fields = {"fieldSelector": f"metadata.name={self.name}"} if self.name else {}
        return {**query, **({"labelSelector": self.selector} if self.selector else {}), **fields}

    def _give(self, change: Change, one: Manifest) -> Manifest:
        """Gives an object; what is kept of it, for the case that it goes away unseen."""
        metadata = one["metadata"]
        self.seen(change, {"kind": self.kind, **one})
        kept = {name: metadata[name] for name in ("name", "namespace", "uid", "labels") if name in metadata}
        return {"kind": self.kind, "metadata": kept}


def _lost(error: ClusterError) -> bool:
    """Whether the objects have to be listed anew: their past is no longer there, or they may not be read just now."""
    return isinstance(error, ApiError) and error.status in (GONE, 404, *FORBIDDEN)


def _name(one: Manifest) -> tuple[str, str]:
    metadata = one["metadata"]
    return str(metadata.get("namespace", "")), str(metadata["name"])


def _events(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The events of a watch: a line of JSON each.

    Raises:
        Unreachable: what arrives is something else.
    """
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LARGEST:
            raise Unreachable("a watch of the API server has an event without an end")
        for line in lines:
            if line.strip():
                yield _event(line)


def _event(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unreachable("a watch of the API server has an event that is no JSON object")
    return found
