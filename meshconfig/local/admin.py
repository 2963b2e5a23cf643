"""Questions to a running Envoy: did it take a file, where does it listen, is anything still on its way?"""

import asyncio
from collections.abc import Collection
from pathlib import Path

import httpx

from meshconfig.errors import LocalMeshError
from meshconfig.local.xds import Written

_PATIENCE = 10.0  # seconds for Envoy to take a file; it takes milliseconds
_PAUSE = 0.005
_REFUSALS = ("update_rejected", "update_failure")


class Admin:
    """Envoy's admin interface.

    Parameters:
        address: `127.0.0.1:PORT`.
        log: Envoy's own log, where it gives its reasons.
    """

    def __init__(self, address: str, log: Path) -> None:
        self.log = log
        self.client = httpx.AsyncClient(base_url=f"http://{address}", timeout=_PATIENCE, trust_env=False)

    async def close(self) -> None:
        await self.client.aclose()

    async def listeners(self) -> dict[str, int]:
        """The port at which each listener answers, by its name."""
        reply = await self._get("/listeners", format="json")
        found = reply.json().get("listener_statuses", [])
        return {one["name"]: one["local_address"]["socket_address"]["port_value"] for one in found}

    async def refusals(self, subscriptions: Collection[str]) -> int:
        """How often Envoy has refused what these subscriptions were given."""
        stats = await self.stats("|".join(_REFUSALS))
        return sum(int(stats.get(f"{one}.{what}", 0)) for one in subscriptions for what in _REFUSALS)

    async def taken(self, written: Collection[Written], refusals: int, mark: int) -> None:
        """Wait until Envoy uses these files.

        Parameters:
            refusals: how often it had refused these subscriptions' files before they were written.
            mark: the length of Envoy's log then.

        Raises:
            LocalMeshError: it refuses one, with its reason, or does not answer.
        """
        names = [one.subscription for one in written]
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while True:
            stats = await self.stats("version_text")
            if all(stats.get(f"{one.subscription}.version_text") == one.version for one in written):
                return
            if await self.refusals(names) > refusals:
                raise LocalMeshError(f"Envoy refused the configuration: {self.reason(mark)}")
            if asyncio.get_running_loop().time() > deadline:
                raise LocalMeshError(f"Envoy did not take its configuration within {_PATIENCE:g} s")
            await asyncio.sleep(_PAUSE)

    async def active(self, clusters: Collection[str]) -> int:
        """The requests that are on their way to these clusters."""
        stats = await self.stats("upstream_rq_active$")
        return sum(int(stats.get(f"cluster.{name}.upstream_rq_active", 0)) for name in clusters)

    async def stats(self, pattern: str) -> dict[str, str | int]:
        """Counters, gauges and texts whose names hold this regular expression."""
        reply = await self._get("/stats", format="json", filter=pattern)
        return {one["name"]: one["value"] for one in reply.json()["stats"] if "name" in one}

    def mark(self) -> int:
        """The length of Envoy's log now."""
        return self.log.stat().st_size

    def reason(self, mark: int) -> str:
        """What Envoy's log says about a refusal since a mark."""
        with self.log.open("rb") as log:
            log.seek(mark)
            lines = log.read().decode(errors="replace").splitlines()
        said = [line.partition("rejected: ")[2] for line in lines if "rejected: " in line]
        return said[-1] if said else "it gave no reason"

    async def _get(self, path: str, **query: str) -> httpx.Response:
        try:
            return (await self.client.get(path, params=query)).raise_for_status()
        except httpx.HTTPError as error:
            raise LocalMeshError(f"Envoy does not answer: {error}") from error
