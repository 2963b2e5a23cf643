"""The processes of a LocalMesh document, checked against its LaneGroup."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from meshconfig.errors import InputError, nearest
from meshconfig.groups import Group
from meshconfig.load import Document, FieldPath
from meshconfig.local.config import mesh_listener
from meshconfig.model import Model, Service
from meshconfig.spec.base import validate
from meshconfig.spec.local_mesh import LocalMesh
from meshconfig.spec.local_mesh import Workload as Written

PORT = "port"
_WORKLOADS: FieldPath = ("spec", "workloads")
_PLACEHOLDER = re.compile(r"\{\{|\{([A-Za-z0-9][A-Za-z0-9_-]*)\}")


@dataclass(frozen=True, slots=True)
class Workload:
    """The process of one version of a service or consumer, started by `command` or running already at `address`.

    `labels` are its version's; None if the spec has no such version, so that it gets no requests. `listeners` maps each
    name that `{SERVICE}` may have to a listener. `tag` is the header that the process must propagate. `consumer`: it
    consumes messages, and nothing is sent to it. `roster` is the name of the file that says who consumes which lane's
    messages, empty where the group has no consumers.
    """

    service: str
    version: str
    host: str
    port: int
    labels: Mapping[str, str] | None
    tag: str
    listeners: Mapping[str, str]
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    address: tuple[str, int] | None = None
    consumer: bool = False
    roster: str = ""

    @property
    def name(self) -> str:
        return f"{self.service}/{self.version}"

    @property
    def key(self) -> tuple[str, int, str]:
        return self.host, self.port, self.version


def fill(text: str, values: Mapping[str, str], *, last: bool = True) -> str:
    """Replace each `{NAME}` in a part of a command. Unknown names stay. `last` also turns `{{` into a brace."""

    def value(found: re.Match[str]) -> str:
        return values.get(found[1], found[0]) if found[1] else found[0][: 1 if last else 2]

    return _PLACEHOLDER.sub(value, text)


def read(document: Document, groups: Sequence[Group]) -> tuple[LocalMesh, Group]:
    """Read a LocalMesh document, and find its group.

    Raises:
        InputError: a field is invalid, or a group, service or placeholder does not exist.
    """
    mesh = validate(LocalMesh, document.value, document.locate)
    key = (mesh.metadata.namespace, mesh.metadata.name)
    group = next((one for one in groups if one.key == key), None)
    if group is None:
        names, wanted = ["/".join(one.key) for one in groups], "/".join(key)
        message = f"there is no LaneGroup {wanted}{nearest(wanted, names)}"
        raise InputError([document.problem(("metadata", "name"), message)])
    spec = group.spec.spec
    if wrong := [document.problem(path, message) for path, message in _wrong(mesh, spec.services, spec.consumers)]:
        raise InputError(sorted(wrong))
    return mesh, group


def workloads(mesh: LocalMesh, group: Group, model: Model, folder: Path | None) -> Iterator[Workload]:
    """The processes of one group.

    Parameters:
        folder: the folder of the LocalMesh file, in which commands run.
    """
    listeners = {one.name: mesh_listener(one.host, one.port) for one in model.services}
    services = {one.name: one for one in model.services}
    for name, versions in mesh.spec.workloads.items():
        service = services.get(name)
        for version, written in versions.items():
            yield Workload(
                service=name,
                version=version,
                host=_host(service, version) if service else f"{name}.consumer",
                port=service.port if service else 0,
                labels=_labels(group, name, version),
                consumer=service is None,
                roster=roster_file(model),
                tag=model.tag,
                listeners=listeners,
                command=_interpreter(written.command or ()),
                environment=written.env,
                folder=folder,
                address=written.host_and_port if written.address else None,
            )


def roster_file(model: Model) -> str:
    """The name of the file that says who consumes which lane's messages; empty for a group without consumers."""
    return f"{model.namespace}.{model.group}.consumers.json" if model.roster else ""


def ports(mesh: LocalMesh, model: Model) -> dict[str, int]:
    """The fixed port of each listener that has one."""
    services: dict[str, Service] = {one.name: one for one in model.services}
    return {mesh_listener(services[name].host, services[name].port): port for name, port in mesh.spec.ports.items()}


def _labels(group: Group, service: str, version: str) -> Mapping[str, str] | None:
    if service not in group.spec.spec.services:
        return {} if version in group.spec.spec.consumers[service].versions else None
    written = group.spec.spec.services[service].versions.get(version)
    return {**(written.fallback_labels or {}), **written.labels} if written else None


def _host(service: Service, version: str) -> str:
    """The host that a version's process answers for: outside the mesh the version's own."""
    tables = service.outside.subsets if service.outside else ()
    return next((table.host for table in tables for one in table.subsets if one.name == version), service.host)


def _interpreter(command: tuple[str, ...]) -> tuple[str, ...]:
    return (sys.executable, *command[1:]) if command[:1] == ("python",) else command


def _wrong(mesh: LocalMesh, services: Iterable[str], consumers: Iterable[str]) -> Iterator[tuple[FieldPath, str]]:
    names = set(services)
    runnable = names.union(consumers)
    what = "service or consumer" if runnable > names else "service"
    for name in mesh.spec.ports.keys() - names:
        yield ("spec", "ports", name), f"there is no service {name}{nearest(name, names)}"
    for name, versions in mesh.spec.workloads.items():
        if name not in runnable:
            yield (*_WORKLOADS, name), f"there is no {what} {name}{nearest(name, runnable)}"
        for version, written in versions.items():
            if written.address and name in runnable - names:
                yield (*_WORKLOADS, name, version, "address"), "nothing is sent to a consumer: give a command"
            yield from _unknown_placeholders(written, (*_WORKLOADS, name, version), names | {PORT})


def _unknown_placeholders(written: Written, path: FieldPath, names: set[str]) -> Iterator[tuple[FieldPath, str]]:
    parts = [("command", word) for word in written.command or ()] + list(written.env.items())
    for field_name, text in parts:
        where = (*path, "command") if field_name == "command" else (*path, "env", field_name)
        for found in _PLACEHOLDER.finditer(text):
            if found[1] and found[1] not in names:
                yield where, f"{{{found[1]}}} is neither a service nor {{{PORT}}}{nearest(found[1], names)}"
