"""Waiting for proxies to follow a change."""

import time
from collections.abc import Callable

from meshconfig.cluster.barrier.change import Change, Progress, Verdict
from meshconfig.cluster.barrier.istiod import Reach
from meshconfig.cluster.client import Client


def _quiet(progress: Progress) -> None:
    pass


class Barrier:
    """Holds until every proxy that subscribes has acknowledged a change and new subsets have ready endpoints.

    Parameters:
        client: the API server; None leaves out what is asked of it (Pods of istiod, endpoints of subsets).
        istiod: the address of istiod's debug pages, `http://host:port`; without it they are read through the API server.
        timeout: seconds until BarrierTimeout.
        wait: seconds to wait instead where no debug page can be read.
    """

    def __init__(
        self, client: Client | None, *, istiod: str | None = None, timeout: float = 300, wait: float = 10
    ) -> None:
        self._client, self._istiod, self._timeout, self._wait = client, istiod, timeout, wait

    def reach(self) -> Reach:
        """Which istiod can be read, or why none; writes nothing and waits for nothing."""
        return Reach((), "not built yet")

    def holds(self, change: Change, report: Callable[[Progress], None] = _quiet) -> Verdict:
        """Wait until proxies follow.

        Raises:
            BarrierTimeout: some did not in time.
            ProxyRefused: one never will.
        """
        time.sleep(self._wait)
        return Verdict.UNVERIFIED
