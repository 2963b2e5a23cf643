"""A mesh on this machine: one Envoy and the processes behind it, both updated when the plan changes."""

import asyncio
import contextlib
import math
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from meshconfig.atomic import replace_file
from meshconfig.backend.istio import roster
from meshconfig.errors import LocalMeshError
from meshconfig.istio import Resources
from meshconfig.istio.cluster_names import parse
from meshconfig.local.config import EnvoyConfig, Listener
from meshconfig.local.envoy import translate
from meshconfig.local.fleet import Fleet, Prepared, Running
from meshconfig.local.listener import LOCALHOST
from meshconfig.local.plan import LocalPlan
from meshconfig.local.processes import Reaper
from meshconfig.local.proxy import EnvoyProcess
from meshconfig.local.trace import RequestTrace, TraceAssembler
from meshconfig.local.workloads import roster_file

_LOOK = 0.05  # seconds between two reads of the request log
_LINES = 2**20  # largest line in that log, in bytes: a path may be long


@dataclass(frozen=True, slots=True)
class MeshChange:
    """The effect of a new plan: changed resources, started and stopped processes, new addresses."""

    resources: tuple[str, ...] = ()
    started: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Events:
    """Callbacks: `trace` for each completed request, `died` with a message for each process that ended by itself."""

    trace: Callable[[RequestTrace], None] = lambda trace: None
    died: Callable[[str], None] = lambda message: None


@contextlib.asynccontextmanager
async def running(plan: LocalPlan, events: Events) -> AsyncIterator["Mesh"]:
    """Run a mesh while the block runs. Afterwards, none of its processes and files is left.

    Raises:
        LocalMeshError: Envoy or a process does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="graylane-"))
    with Reaper(folder) as reaper:
        mesh = Mesh(folder, reaper, events)
        try:
            await mesh.start(plan)
            yield mesh
        finally:
            await mesh.close()


class Mesh:
    """One Envoy and the processes of a plan; `running` starts it."""

    def __init__(self, folder: Path, reaper: Reaper, events: Events) -> None:
        self.events = events
        self.proxy = EnvoyProcess(folder, reaper)
        self.fleet = Fleet(folder, reaper, self._died)
        self.traces = TraceAssembler(self._answerer, self._calls)
        self.plan = LocalPlan((), (), Resources(), ())
        self.config = EnvoyConfig()
        self.lock = asyncio.Lock()
        self.tasks: set[asyncio.Task[None]] = set()

    async def start(self, plan: LocalPlan) -> None:
        log = await self.proxy.start()
        self._background(self._listen(log))
        self._background(self._tell_again_and_again())
        await self.change(plan)

    async def change(self, plan: LocalPlan) -> MeshChange:
        """Change to a new plan without losing a request. Returns when Envoy routes by it.

        Unused clusters and processes are removed in the background, after their last request.

        Raises:
            LocalMeshError: a process does not start, or Envoy refuses the configuration; the old plan stays in force.
        """
        async with self.lock:
            before = self.urls()
            self.proxy.tags = plan.tags
            await self._open(plan)
            self._write_rosters(plan, only_new=True)  # a process may read its file as soon as it starts
            prepared = await self.fleet.prepare(plan.workloads, self.urls())
            try:
                await self._route(plan, prepared)
            except BaseException:
                await self.fleet.discard(prepared)
                raise
            self._write_rosters(plan)
            gone = self.fleet.adopt(prepared)
            if gone:
                self._background(self._retire(gone))
            old, self.plan = self.plan, plan
            return MeshChange(
                _differing(old, plan),
                tuple(one.name for one in prepared.started),
                tuple(one.name for one in gone if not one.dead),
                tuple(self._new_addresses(before)),
            )

    async def failed(self) -> None:
        """Wait until Envoy ends, which ends the mesh.

        Raises:
            LocalMeshError: always, once Envoy has ended.
        """
        child = self.proxy.child
        await child.process.wait()
        raise LocalMeshError(f"envoy {child.fate()}{child.tail()}")

    async def close(self) -> None:
        """End everything. Requests that are not reported yet are reported first."""
        await asyncio.gather(self.fleet.close(), self.proxy.stop(), return_exceptions=True)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self._tell(math.inf)

    def urls(self) -> dict[str, str]:
        """The URL of each listener, by its name: `http://127.0.0.1:PORT`."""
        return {name: f"http://{LOCALHOST}:{port}" for name, port in self.proxy.addresses.items()}

    def gateways(self) -> list[tuple[Listener, str]]:
        """The listeners of Gateways, with their URLs."""
        urls = self.urls()
        return [(one, urls[one.name]) for one in self.config.listeners if one.kind == "gateway"]

    def services(self) -> dict[str, str]:
        """The URL at which other services call each service, by its name in the spec."""
        urls = self.urls()
        return {name: urls[listener] for one in self.plan.workloads for name, listener in one.listeners.items()}

    def notes(self) -> tuple[str, ...]:
        """Notes on everything that has no effect here, or another effect than in a cluster."""
        return (*self.plan.notes, *map(str, self.config.notes))

    async def _open(self, plan: LocalPlan) -> None:
        config = translate(plan.resources, plan.endpoints(self.fleet.current.endpoints()))
        gateways = [one.name for one in config.listeners if one.kind == "gateway"]
        first = {gateways[0]: plan.gateway_port} if gateways else {}
        await self.proxy.open(config, {**plan.ports, **first})

    def _write_rosters(self, plan: LocalPlan, *, only_new: bool = False) -> None:
        for model in plan.models:
            path = self.fleet.folder / roster_file(model)
            if model.roster and not (only_new and path.exists()):
                replace_file(path, roster.text(model.roster).encode())

    async def _route(self, plan: LocalPlan, prepared: Prepared) -> None:
        config = translate(plan.resources, plan.endpoints(prepared.endpoints()))
        await self.proxy.change(config)
        self.config = config

    async def _retire(self, gone: Sequence[Running]) -> None:
        await self.proxy.drained()
        await self.fleet.retire(gone)

    async def _died(self, one: Running) -> None:
        if one.child:
            hint = "the rest goes on, and the next save starts it again"
            self.events.died(f"{one.name} {one.child.fate()}; {hint}{one.child.tail()}")
        async with self.lock:
            with contextlib.suppress(
                LocalMeshError
            ):  # a failed Envoy is reported elsewhere; without it nothing is left to route
                await self._route(self.plan, self.fleet.current)

    async def _listen(self, log: asyncio.StreamReader) -> None:
        now = asyncio.get_running_loop().time
        async for line in log:
            self.traces.add(line, now())

    async def _tell_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            self._tell(asyncio.get_running_loop().time())

    def _tell(self, now: float) -> None:
        for trace in self.traces.done(now):
            self.events.trace(trace)

    def _answerer(self, cluster: str, upstream: str) -> tuple[str, str]:
        """The service and version at an address. If a process serves several versions, the cluster's subset decides."""
        found = parse(cluster)
        host, subset = (found.host, found.subset) if found else ("", "")
        host, subset = self.plan.versions.get(host, (host, subset))
        services = [one for model in self.plan.models for one in model.services]
        name = next((one.name for one in services if host in {table.host for table in one.mesh_tables}), host)
        pairs = self.fleet.current.processes.values()
        there = [one.version for one, process in pairs if one.host == host and process.authority == upstream]
        return name, there[0] if len(there) == 1 else subset

    def _calls(self, service: str) -> frozenset[str]:
        """The services that a service calls, by their names in the spec."""
        specs = [group.spec.spec.services.get(service) for group in self.plan.groups]
        return frozenset(called for spec in specs if spec for called in spec.calls)

    def _new_addresses(self, before: Mapping[str, str]) -> Iterator[str]:
        urls = self.urls()
        for one in self.config.listeners:
            if urls[one.name] != before.get(one.name):
                yield f"{one.kind if one.kind == 'gateway' else one.hosts[0]} at {urls[one.name]}"

    def _background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


def _differing(old: LocalPlan, new: LocalPlan) -> tuple[str, ...]:
    before, after = _manifests(old), _manifests(new)
    return tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))


def _manifests(plan: LocalPlan) -> Mapping[str, object]:
    resources = plan.resources
    parts = (resources.virtual_services, resources.destination_rules, resources.gateways)
    return {str(one): one.manifest for part in parts for one in part}
