"""Mends istiod's cache where it has kept what istiod made before a change.

istiod keeps what it makes for proxies. It empties the cache of a change's resources before it looks at the proxies for
that change. Who reads `/debug/config_dump` in between has istiod make the proxy's configuration as it was, and that is
kept, because it was asked for later. Then the push sends it to all proxies that share it, until something else changes.
Source: istio/istio `pilot/pkg/xds/debug.go` (connectionConfigDump), `pilot/pkg/xds/discovery.go` (initPushContext),
`pilot/pkg/model/typed_xds_cache.go` (Add), as of Istio 1.31.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from meshconfig.cluster.barrier.istiod import Unreadable
from meshconfig.cluster.barrier.pages import Proxy
from meshconfig.cluster.barrier.sends import Sends

Tell = Callable[[str, Mapping[str, str]], None]  # has istiod do what a debug page does

AGAIN = 10.0  # seconds between two attempts; each costs istiod the work that the cache spares it
REACHED = 10.0  # seconds within which a push has reached all proxies


class StaleCache:
    """Empties istiod's cache, and has it push to all proxies if that was it.

    Parameters:
        tell: has istiod do something.
        sends: what was sent to which proxy.
    """

    def __init__(self, tell: Tell, sends: Sends) -> None:
        self._tell, self._sends = tell, sends
        self._tried = self._pushed = float("-inf")
        self._waiting: frozenset[str] = frozenset()
        self.refused = False  # istiod does not do as it is told

    def empty(self, now: float) -> bool:
        """Empties the cache, unless that was done a moment ago. Returns whether it is empty now."""
        if self.refused or now - self._tried < AGAIN:
            return False
        self._tried = now
        return self._told("cachez", {"clear": "true"})

    def push(self, there: Iterable[Proxy], now: float) -> None:
        """Has istiod send all proxies everything."""
        if self._told("adsz", {"push": "true"}):
            self._sends.forget()
            self._waiting, self._pushed = frozenset(proxy.name for proxy in there), now

    def is_pushing(self, there: Collection[Proxy], now: float) -> bool:
        """Whether a connected proxy has not got that yet."""
        if now - self._pushed < REACHED:
            self._waiting &= {proxy.name for proxy in there if self._sends.quiet(proxy, now) is None}
        else:
            self._waiting = frozenset()
        return bool(self._waiting)

    def _told(self, page: str, query: Mapping[str, str]) -> bool:
        try:
            self._tell(page, query)
        except Unreadable:
            self.refused = True
        return not self.refused
