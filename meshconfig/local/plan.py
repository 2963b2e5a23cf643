"""Plans a mesh on this machine from files: Envoy's configuration, and the processes to run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from meshconfig import groups, load
from meshconfig.compile import compile_group
from meshconfig.errors import InputError
from meshconfig.explain.names import version_services
from meshconfig.groups import Group
from meshconfig.istio import Resources
from meshconfig.load import Document
from meshconfig.local import workloads
from meshconfig.local.config import Endpoint
from meshconfig.local.surroundings import existing_gateways, resources
from meshconfig.local.workloads import Workload
from meshconfig.model import Model
from meshconfig.spec.local_mesh import LocalMesh

KIND = "LocalMesh"
BESIDE = "local.yaml"  # the file that is read if the given files contain no LocalMesh


@dataclass(frozen=True)
class LocalPlan:
    """Everything that a mesh on this machine is built from.

    `ports` fixes the ports of listeners by name; others get any free port. `gateway_port` is that of the first
    gateway. `example_path` is the path in the curl examples. `notes` are lines for the user.
    """

    groups: tuple[Group, ...]
    models: tuple[Model, ...]
    resources: Resources
    workloads: tuple[Workload, ...]
    ports: Mapping[str, int] = field(default_factory=dict)
    gateway_port: int = 0
    example_path: str = "/"
    notes: tuple[str, ...] = ()

    @cached_property
    def versions(self) -> Mapping[str, tuple[str, str]]:
        """The hosts of Services that stand for versions, each with its service's host and the subset."""
        return {host: place for model in self.models for host, place in version_services(model)}

    def endpoints(self, found: Iterable[Endpoint]) -> list[Endpoint]:
        """The processes that answer, at the Services of their versions too.

        Parameters:
            found: the processes at the hosts of their services.
        """
        every = list(found)
        labels = {
            (service.host, subset.name): dict(subset.labels)
            for model in self.models
            for service in model.services
            for subset in service.subsets
        }
        for host, place in self.versions.items():
            every += [
                replace(one, service=host)
                for one in every
                if one.service == place[0] and dict(one.labels) == labels[place]
            ]
        return every

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(model.tag for model in self.models))


def files(sources: Sequence[str]) -> list[str]:
    """The files to watch: the sources, and `local.yaml` beside each source that is a file."""
    folders = dict.fromkeys(Path(name).parent for name in sources if name != "-" and not Path(name).is_dir())
    beside = [str(folder / BESIDE) for folder in folders if (folder / BESIDE).is_file()]
    return list(dict.fromkeys([*sources, *beside]))


def documents(sources: Sequence[str]) -> list[Document]:
    """All documents of the sources. If none is a LocalMesh, those of `local.yaml` beside them are added.

    Raises:
        InputError: a file cannot be read or is not YAML, or no LocalMesh describes the processes.
    """
    found = load.load(sources)
    if not any(document.kind == KIND for document in found):
        found += load.load(name for name in files(sources) if name not in sources)
    if not any(document.kind == KIND for document in found):
        message = f"no document of kind {KIND} here, and no {BESIDE} beside it: it says which processes to start"
        raise InputError.at(", ".join(sources), message)
    return found


def plan(found: Sequence[Document]) -> LocalPlan:
    """The plan of all documents.

    Raises:
        InputError: lists everything invalid in them.
    """
    read = tuple(groups.groups(found, sorted({one.file for one in found})))
    models = {one.key: _direct(one) for one in read}
    meshes = list(_meshes(found, read))
    processes = [
        one for mesh, group, folder in meshes for one in workloads.workloads(mesh, group, models[group.key], folder)
    ]
    ports = [workloads.ports(mesh, models[group.key]) for mesh, group, _ in meshes]
    specs = [mesh.spec for mesh, _, _ in meshes]
    return LocalPlan(
        groups=read,
        models=tuple(models.values()),
        resources=resources(models.values()),
        workloads=tuple(processes),
        ports={name: port for one in ports for name, port in one.items()},
        gateway_port=next((one.gateway_port for one in specs if one.gateway_port), 0),
        example_path=specs[0].example_path,
        notes=tuple(_notes(models.values(), processes)),
    )


def _direct(group: Group) -> Model:
    """The group's model, without egress gateways: one Envoy stands for every proxy, so a detour would lead nowhere."""
    spec = group.spec.spec
    services = {
        name: one.model_copy(update={"external": one.external.model_copy(update={"egress": None})})
        for name, one in spec.services.items()
        if one.external and one.external.egress
    }
    if not services:
        return group.model
    direct = spec.model_copy(update={"services": {**spec.services, **services}})
    return compile_group(group.spec.model_copy(update={"spec": direct}))


def _meshes(found: Iterable[Document], read: Sequence[Group]) -> Iterator[tuple[LocalMesh, Group, Path | None]]:
    """Each LocalMesh, its group, and the folder in which its commands run."""
    seen: dict[tuple[str, str], str] = {}
    for document in (one for one in found if one.kind == KIND):
        mesh, group = workloads.read(document, read)
        if group.key in seen:
            message = f"{seen[group.key]} has a {KIND} of this group already"
            raise InputError([document.problem(("metadata", "name"), message)])
        seen[group.key] = document.file
        yield mesh, group, None if document.file == "-" else Path(document.file).resolve().parent


def _notes(models: Iterable[Model], processes: Sequence[Workload]) -> Iterator[str]:
    models = list(models)
    there = {one.key for one in processes}
    for one in processes:
        if one.labels is None:
            yield f"{one.name}: the spec has no such version, so nothing is sent to this process"
    for service in (one for model in models for one in model.services):
        for table in service.subset_tables:
            for subset in table.subsets:
                if not subset.failover and (table.host, service.port, subset.name) not in there:
                    then = f"{table.host} is called itself" if service.outside else "it answers 503"
                    yield f"{service.name}/{subset.name}: no process stands for it, so {then}"
    for gateway in sorted(existing_gateways(models)):
        yield f"Gateway {gateway} is the cluster's: here it takes any host, on port 80"
