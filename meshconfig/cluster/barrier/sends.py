"""What istiod has sent to each proxy since a change was written, as far as looks at `syncz` show it."""

from collections.abc import Iterable

from meshconfig.cluster.barrier.pages import Proxy, Version

CONFIGURATION = ("CDS", "LDS", "RDS")  # endpoints also change when Pods come and go


class Sends:
    """Notices when a proxy is sent new configuration.

    Parameters:
        there: the connected proxies, read before the push that is waited for.
    """

    def __init__(self, there: Iterable[Proxy]) -> None:
        self._last = {proxy.name: _nonces(proxy) for proxy in there}
        self._first = frozenset(self._last)
        self._when: dict[str, float] = {}
        self._newest: dict[str, Version] = {}
        self._ended: dict[str, Version] = {}
        self._note_pushes(there)

    def note(self, there: Iterable[Proxy], now: float) -> None:
        """Compares with the look before. A proxy that was not connected then counts as sent something."""
        self._note_pushes(there)
        for proxy in there:
            nonces = _nonces(proxy)
            if self._last.get(proxy.name) != nonces:
                self._last[proxy.name], self._when[proxy.name] = nonces, now

    def forget(self) -> None:
        """From now on, only what is sent later counts."""
        self._when.clear()

    def is_pushing(self, now: float, within: float) -> bool:
        """Whether a proxy that was there from the first has been sent something within these seconds.

        What a proxy is sent that has connected since is no sign of a push.
        """
        return any(now - when < within for name, when in self._when.items() if name in self._first)

    def is_new(self, proxy: Proxy) -> bool:
        """Whether a proxy has connected since."""
        return proxy.name not in self._first

    def ended(self, proxy: Proxy) -> Version | None:
        """A push of which the proxy has been sent all that there was for it; None if none is known.

        istiod makes one push after another for a connection. So what comes with a later push, such as endpoints, shows
        that the one before has ended. Source: istio/istio pilot/pkg/xds/ads.go (pushConnection) and pushqueue.go.
        """
        return self._ended.get(proxy.name)

    def _note_pushes(self, there: Iterable[Proxy]) -> None:
        for proxy in there:
            newest = max((one.version for one in proxy.sent.values() if one.version), default=None)
            before = self._newest.get(proxy.name)
            if newest is None or newest == before:
                continue
            self._newest[proxy.name] = newest
            if before is not None and before < newest:
                self._ended[proxy.name] = before
            else:  # an older push after a newer one, as some causes of pushes have it: what ended is not known any more
                self._ended.pop(proxy.name, None)

    def quiet(self, proxy: Proxy, now: float) -> float | None:
        """The seconds since the proxy was last sent something; None if nothing was sent."""
        when = self._when.get(proxy.name)
        return None if when is None else now - when


def _nonces(proxy: Proxy) -> tuple[str, ...]:
    return tuple(proxy.sent[short].nonce if short in proxy.sent else "" for short in CONFIGURATION)
