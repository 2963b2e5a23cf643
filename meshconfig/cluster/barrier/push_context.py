"""Notices that istiod has pushed, where no proxy shows it: by the push for which istiod last looked at some proxy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshconfig.cluster.barrier.pages import Proxy, Version

Scope = Callable[[str], Version | None]  # the push for which istiod last looked at a proxy, by the proxy's name


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


def before(there: Sequence[Proxy], namespaces: frozenset[str], scope: Scope) -> Before:
    """Reads an istiod before a change is written to these namespaces.

    The version is read only if no sidecar is there that could show the change, because it comes on a page that lists
    all services.
    """
    if not there or any(proxy.namespace in namespaces and proxy.kind != "router" for proxy in there):
        return Before(tuple(there))
    # istiod looks at every proxy for each push, and sends only what has changed.
    name = there[0].name
    return Before(tuple(there), name, scope(name))


class PushContext:
    """Follows the push for which istiod last looked at one proxy.

    Parameters:
        before: that istiod before the change was written.
        scope: reads the push of a proxy.
    """

    def __init__(self, before: Before, scope: Scope) -> None:
        self._before, self._scope = before, scope
        self._at_start = self._read()
        self._moved: float | None = None

    def passed(self, now: float, start: float, *, sent: float, brief: float) -> bool:
        """Whether istiod has pushed what it had read at `start`.

        Parameters:
            now: the time in seconds; `start` on the same clock.
            sent: seconds that istiod takes to look at all proxies.
            brief: seconds within which istiod normally pushes.
        """
        if self._at_start is None or self._before.version is None:
            return False
        if self._moved is None and self._read() != self._at_start:
            self._moved = now
        if self._moved is not None:
            return now - self._moved >= sent
        # A push between the write and the first look had the change, or is the one before it.
        return self._at_start != self._before.version and now - start >= brief

    def _read(self) -> Version | None:
        return self._scope(self._before.proxy) if self._before.version else None
