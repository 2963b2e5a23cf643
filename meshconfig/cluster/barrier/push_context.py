"""Notices that istiod has pushed, where no proxy shows it: by the push for which istiod last looked at some proxy."""

from dataclasses import dataclass

from meshconfig.cluster.barrier.istiod import Istiod, of_istiod
from meshconfig.cluster.barrier.pages import Proxy, Version, proxies, scope_version


@dataclass(frozen=True, slots=True)
class Before:
    """An istiod before a change was written.

    Parameters:
        there: the proxies that were connected.
        proxy: the name of one of them.
        version: the push for which istiod had last looked at that proxy; None if that is not known.
    """

    there: tuple[Proxy, ...] = ()
    proxy: str = ""
    version: Version | None = None


def read_before(istiod: Istiod, namespaces: frozenset[str]) -> Before:
    """Reads an istiod before a change is written to these namespaces.

    The version is read only if no sidecar is there that could show the change, because it comes on a page that lists
    all services.

    Raises:
        Unreadable: a debug page could not be read, or is none of istiod's.
    """
    return of_istiod(istiod.name, lambda: _before(istiod, namespaces))


def _before(istiod: Istiod, namespaces: frozenset[str]) -> Before:
    there = proxies(istiod.read("syncz", {}))
    if not there or any(proxy.namespace in namespaces and proxy.kind != "router" for proxy in there):
        return Before(there)
    # istiod looks at every proxy for each push, and sends only what has changed.
    name = there[0].name
    return Before(there, name, _scope(istiod, name))


def _scope(istiod: Istiod, proxy: str) -> Version | None:
    """The push for which istiod last looked at a proxy; None if that is not known, or the proxy has gone."""
    return scope_version(istiod.read("sidecarz", {"proxyID": proxy}))


class PushContext:
    """Follows the push for which istiod last looked at one proxy.

    Parameters:
        istiod: the istiod.
        before: that istiod before the change was written.
    """

    def __init__(self, istiod: Istiod, before: Before) -> None:
        self._istiod, self._before = istiod, before
        self._at_start = self._read()
        self._moved: float | None = None

    def passed(self, now: float, start: float, *, sent: float, brief: float) -> bool:
        """Whether istiod has pushed what it had read at `start`.

        Parameters:
            now: the time in seconds; `start` on the same clock.
            sent: seconds that istiod takes to look at all proxies.
            brief: seconds within which istiod normally pushes.
        """
        if self._at_start is None:
            return False
        if self._moved is None and self._read() not in (self._at_start, None):
            self._moved = now
        if self._moved is not None:
            return now - self._moved >= sent
        # A push between the write and the first look had the change, or is the one before it.
        return self._at_start != self._before.version and now - start >= brief

    def _read(self) -> Version | None:
        return _scope(self._istiod, self._before.proxy) if self._before.version else None
