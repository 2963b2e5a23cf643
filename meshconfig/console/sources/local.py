"""The mesh on this machine, for the person who has started it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from meshconfig.cluster.status.shares import copies, entry, lanes
from meshconfig.cluster.status.status import PodCount, ServiceState, VersionState
from meshconfig.console.acts import Wish
from meshconfig.console.faults import MissingError
from meshconfig.console.jobs import Begun
from meshconfig.console.proposal import Proposal
from meshconfig.console.refs import GroupRef
from meshconfig.console.sources.source import GroupView, Past, Stated
from meshconfig.groups import Group
from meshconfig.local.mesh import Mesh
from meshconfig.render import to_yaml
from meshconfig.spec import ServiceInGroup


class LocalSource:
    """
    Parameters:
        mesh: runs; threads read it while its own loop changes it, each part whole.
    """

    place, person = "local mesh", ""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    def groups(self, namespace: str) -> Sequence[GroupRef]:
        found = (GroupRef(*one.key) for one in self._mesh.plan.groups)
        return sorted(one for one in found if namespace in ("", one.namespace))

    def look(self, ref: GroupRef, wait: float) -> GroupView:
        group, taken = self._group(ref), datetime.now(UTC)
        spec, baseline = group.spec.spec, group.spec.spec.tag.default
        routing = group.model.routing()
        return GroupView(
            ref=ref,
            lanes=(baseline, *(lane for lane in spec.lanes if lane != baseline)),
            baseline=baseline,
            services=tuple(self._services(group)),
            entries=tuple(entry(one, routing) for one in group.model.entries),
            last=None,
            drift=(),
            problems=(),
            taken=taken,
        )

    def changed(self, ref: GroupRef) -> None:
        """Each reading is new."""

    def stated(self, ref: GroupRef) -> Stated:
        group = self._group(ref)
        # Each plan has its own groups: another object is another state of the files.
        return Stated(group, to_yaml([group.document]), str(ref), f"files/{id(group)}")

    def past(self, ref: GroupRef) -> Past:
        raise _no_history()

    def text_at(self, ref: GroupRef, number: int) -> str:
        raise _no_history()

    def propose(self, ref: GroupRef, wish: Wish) -> Proposal:
        raise _no_history()

    def begin(self, ref: GroupRef, wish: Wish, mark: str, note: str) -> Begun:
        raise _no_history()

    def _group(self, ref: GroupRef) -> Group:
        found = next((one for one in self._mesh.plan.groups if GroupRef(*one.key) == ref), None)
        if found is None:
            raise MissingError(f"there is no group {ref} in this mesh")
        return found

    def _services(self, group: Group) -> Iterator[ServiceState]:
        routing = group.model.routing()
        for service in group.model.services:
            spec = group.spec.service(service.name)
            routed, copied = lanes(service, spec, routing), copies(service, routing)
            yield ServiceState(service.name, service.host, tuple(self._versions(spec)), routed, copied)

    def _versions(self, service: ServiceInGroup) -> Iterator[VersionState]:
        """A version's processes stand for its Pods."""
        running = list(self._mesh.fleet.current.processes.values())
        for name, version in service.spec.versions.items():
            mine = [
                process for workload, process in running if (workload.service, workload.version) == (service.name, name)
            ]
            count = PodCount(sum(not process.dead for process in mine), len(mine))
            yield VersionState(name, version.host or service.workload(name), None if version.host else count)


def _no_history() -> MissingError:
    return MissingError("the mesh on this machine follows its files: change them, and save")


class OnThisMachine:
    """One person: whoever started the mesh."""

    by_token, is_local = False, True

    def __init__(self, mesh: Mesh) -> None:
        self._source = LocalSource(mesh)

    def source(self, token: str) -> LocalSource:
        return self._source
