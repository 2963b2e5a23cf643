"""The processes of a mesh: started before their first request, ended after their last one."""

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from meshconfig.errors import LocalMeshError
from meshconfig.local.config import Endpoint
from meshconfig.local.listener import LOCALHOST, REQUEST_ID
from meshconfig.local.processes import Child, Reaper, ReservedPort
from meshconfig.local.workloads import PORT, Workload, fill

# Configures the propagation middleware: pass on the tag, and the request id that joins the hops in Envoy's log.
REMOTE_FIELDS = "PROPAGATION_REMOTE_FIELDS"
# Where consumers and producers read who is meant to consume which lane's messages.
CONSUMERS = "GRAYLANE_CONSUMERS"
Key = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Definition:
    """How a process is started, before `{port}` is filled in. Equal definitions share one process."""

    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    folder: Path | None
    address: tuple[str, int] | None


@dataclass(eq=False, slots=True)
class Running:
    """A process at an address; without a child, somebody else started it. `dead`: its child ended by itself."""

    name: str
    definition: Definition
    address: tuple[str, int]
    child: Child | None = None
    dead: bool = False

    @property
    def authority(self) -> str:
        """The address in Envoy's form."""
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Prepared:
    """The processes of a plan, all of them listening; `started` are the new ones."""

    processes: Mapping[Key, tuple[Workload, Running]]
    started: tuple[Running, ...]

    def endpoints(self) -> list[Endpoint]:
        """The endpoints for requests: each living process whose version is in the spec."""
        return [
            Endpoint(workload.host, workload.port, workload.labels, *running.address)
            for workload, running in self.processes.values()
            if workload.labels is not None and not workload.consumer and not running.dead
        ]


class Fleet:
    """Starts and ends processes as plans ask for them.

    Parameters:
        folder: for the files with their output.
        died: called when a process ends by itself.
    """

    def __init__(self, folder: Path, reaper: Reaper, died: Callable[[Running], Awaitable[None]]) -> None:
        self.folder = folder
        self.reaper = reaper
        self.died = died
        self.current = Prepared({}, ())
        self.leaving: set[Running] = set()
        self.watches: dict[Running, asyncio.Task[None]] = {}
        self.numbers = itertools.count(1)

    async def prepare(self, workloads: Iterable[Workload], urls: Mapping[str, str]) -> Prepared:
        """Start missing processes concurrently, and wait until they listen; consumers of messages do not.

        Parameters:
            urls: by listener, the address that replaces `{SERVICE}` in a command.

        Raises:
            LocalMeshError: a process did not start; then all new ones are ended.
        """
        wanted = {one.key: (one, _definition(one, urls, self.folder)) for one in workloads}
        missing = [pair for key, pair in wanted.items() if self._definition(key) != pair[1]]
        results = await asyncio.gather(*(self._start(*pair) for pair in missing), return_exceptions=True)
        started = [one for one in results if isinstance(one, Running)]
        if errors := [one for one in results if isinstance(one, BaseException)]:
            await self._stop(started)
            raise errors[0]
        new = {workload.key: one for (workload, _), one in zip(missing, started, strict=True)}
        there = {key: new.get(key) or self.current.processes[key][1] for key in wanted}
        return Prepared({key: (pair[0], there[key]) for key, pair in wanted.items()}, tuple(started))

    def adopt(self, prepared: Prepared) -> tuple[Running, ...]:
        """Make prepared processes the current ones. Returns those that are no longer needed."""
        kept = {running for _, running in prepared.processes.values()}
        gone = tuple(running for _, running in self.current.processes.values() if running not in kept)
        self.leaving.update(gone)
        self.current = prepared
        return gone

    async def discard(self, prepared: Prepared) -> None:
        """End the processes that were started for a plan that failed."""
        await self._stop(prepared.started)

    async def retire(self, gone: Iterable[Running]) -> None:
        """End processes that are no longer needed."""
        gone = [one for one in gone if one in self.leaving]
        await self._stop(gone)
        self.leaving.difference_update(gone)

    async def close(self) -> None:
        """End all of them."""
        await self._stop([*(running for _, running in self.current.processes.values()), *self.leaving])

    @property
    def has_dead(self) -> bool:
        """Whether a process of the current plan has ended by itself."""
        return any(running.dead for _, running in self.current.processes.values())

    def logs(self) -> dict[str, Path]:
        """The file with the output of each process that graylane started, by the process's name."""
        return {one.name: one.child.log for _, one in self.current.processes.values() if one.child}

    def _definition(self, key: Key) -> Definition | None:
        """How the living process of a version was started; a dead one is started again."""
        running = self.current.processes[key][1] if key in self.current.processes else None
        return running.definition if running and not running.dead else None

    async def _start(self, workload: Workload, definition: Definition) -> Running:
        if definition.address:
            return Running(workload.name, definition, await _resolved(workload.name, *definition.address))
        port = ReservedPort()
        values = {PORT: str(port.number)}
        child = Child(
            workload.name,
            [fill(word, values) for word in definition.command],
            self.folder / f"{workload.service}-{workload.version}-{next(self.numbers)}.log",
            self.reaper,
            {name: fill(value, values) for name, value in definition.environment},
            definition.folder,
        )
        try:
            await child.start()
            if not workload.consumer:
                await child.listening(port.number)
        finally:
            port.release()
        running = Running(workload.name, definition, (LOCALHOST, port.number), child)
        self.watches[running] = asyncio.create_task(self._watch(running, child))
        return running

    async def _watch(self, running: Running, child: Child) -> None:
        await child.ended()
        running.dead = True
        await self.died(running)

    async def _stop(self, processes: Iterable[Running]) -> None:
        processes = list(processes)
        for one in processes:
            if watch := self.watches.pop(one, None):
                watch.cancel()
        await asyncio.gather(*(one.child.stop() for one in processes if one.child))


def _definition(workload: Workload, urls: Mapping[str, str], folder: Path) -> Definition:
    values = {name: urls[listener] for name, listener in workload.listeners.items() if listener in urls}
    roster = {CONSUMERS: str(folder / workload.roster)} if workload.roster else {}
    environment = {REMOTE_FIELDS: f"{workload.tag},{REQUEST_ID}", **roster, **workload.environment}
    return Definition(
        tuple(fill(word, values, last=False) for word in workload.command),
        tuple((name, fill(value, values, last=False)) for name, value in sorted(environment.items())),
        workload.folder,
        workload.address,
    )


async def _resolved(name: str, host: str, port: int) -> tuple[str, int]:
    """An address with its host name resolved, because Envoy's EDS accepts only IP addresses."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise LocalMeshError(f"{name}: there is no host {host}: {error.strerror}") from None
    v4 = [address for family, *_, address in found if family == socket.AF_INET]
    return str((v4 or [found[0][4]])[0][0]), port
