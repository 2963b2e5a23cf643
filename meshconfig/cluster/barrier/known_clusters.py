"""Which clusters each proxy has, read from one istiod as far as somebody asked."""

from collections.abc import Sequence

from meshconfig.cluster.barrier.istiod import Istiod
from meshconfig.cluster.barrier.pages import watches

FEW = 16  # proxies whose page is read one by one; for more, one request reads the page of all proxies


class KnownClusters:
    """The clusters of one istiod's proxies.

    Attributes:
        watched: the names of the clusters whose endpoints a proxy has or has asked for, by the proxy's name; a proxy
            that nobody asked for is not in it.
    """

    def __init__(self, istiod: Istiod) -> None:
        self._istiod = istiod
        self.watched: dict[str, frozenset[str]] = {}

    def learn(self, names: Sequence[str]) -> None:
        """Reads which clusters these proxies have.

        Raises:
            Unreadable: the page could not be read.
        """
        if len(names) > FEW:
            self.watched |= watches(self._istiod.read("adsz", {}))
            return
        for name in names:
            self.watched |= watches(self._istiod.read("adsz", {"proxyID": name}) or {})
