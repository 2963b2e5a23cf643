"""Reads the admin interface of a running Envoy: accepted files, listening ports, requests in progress."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from meshconfig.errors import LocalMeshError
from meshconfig.local.xds import Written

_PATIENCE = 30.0  # seconds to wait until Envoy has loaded a file, which takes milliseconds on an idle machine
_PAUSE = 0.005


@dataclass(frozen=True, slots=True)
class Before:
    """A state of Envoy to compare with later: refusals counted per subscription, and the length of its log."""

    refusals: Mapping[str, int]
    logged: int


class Admin:
    """Envoy's admin interface, once it is connected.

    Parameters:
        log: Envoy's own log, which has the reason of each refusal.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self.client = httpx.AsyncClient(timeout=_PATIENCE, trust_env=False)

    def connect(self, address: str) -> None:
        """Use this address, `127.0.0.1:PORT`, from now on."""
        self.client.base_url = f"http://{address}"

    async def close(self) -> None:
        await self.client.aclose()

    async def listeners(self) -> dict[str, int]:
        """The port at which each listener answers, by its name."""
        reply = await self._get("/listeners", format="json")
        found = reply.json().get("listener_statuses", [])
        return {one["name"]: one["local_address"]["socket_address"]["port_value"] for one in found}

    async def before(self) -> Before:
        """The refusals so far. Callers read them before they write files."""
        return Before(await self._refusals(), self.log.stat().st_size)

    async def taken(self, written: Collection[Written], before: Before) -> None:
        """Wait until Envoy uses these files.

        Raises:
            LocalMeshError: Envoy refuses a file (the message has the reason), or does not answer.
        """
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while True:
            stats = await self.stats("version_text$")
            if all(stats.get(f"{one.subscription}.version_text") == one.version for one in written):
                return
            now = await self._refusals()
            if any(now.get(one.subscription, 0) > before.refusals.get(one.subscription, 0) for one in written):
                raise LocalMeshError(f"Envoy refused the configuration: {self._reason(before)}")
            if asyncio.get_running_loop().time() > deadline:
                raise LocalMeshError(f"Envoy did not take its configuration within {_PATIENCE:g} s")
            await asyncio.sleep(_PAUSE)

    async def _refusals(self) -> Counter[str]:
        """How often Envoy has refused the files of each subscription."""
        found: Counter[str] = Counter()
        for name, count in (await self.stats(r"\.update_(rejected|failure)$")).items():
            found[name.rpartition(".")[0]] += int(count)
        return found

    async def active(self, clusters: Collection[str]) -> int:
        """The number of requests in progress to these clusters."""
        stats = await self.stats("upstream_rq_active$")
        return sum(int(stats.get(f"cluster.{name}.upstream_rq_active", 0)) for name in clusters)

    async def stats(self, pattern: str) -> dict[str, str | int]:
        """Counters, gauges and texts whose names match this regular expression."""
        reply = await self._get("/stats", format="json", filter=pattern)
        return {one["name"]: one["value"] for one in reply.json()["stats"] if "name" in one}

    def _reason(self, before: Before) -> str:
        with self.log.open("rb") as log:
            log.seek(before.logged)
            return refusal(log.read().decode(errors="replace"))

    async def _get(self, path: str, **query: str) -> httpx.Response:
        try:
            return (await self.client.get(path, params=query)).raise_for_status()
        except httpx.HTTPError as error:
            raise LocalMeshError(f"Envoy does not answer: {error}") from error


def refusal(log: str) -> str:
    """The reason of Envoy's last refusal: the innermost of its nested causes.

    Protobuf varies the spaces in its messages, so that nobody may depend on them.
    """
    _, found, said = log.rpartition("rejected: ")
    if not found:
        return "it gave no reason"
    said = said.split("\n[")[0].strip()
    _, chain, cause = said.rpartition("caused by ")
    return " ".join((cause.removesuffix(")") if chain else said.splitlines()[0]).split())
