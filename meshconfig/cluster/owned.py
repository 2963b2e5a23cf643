"""Finds the resources of a group in a cluster, by its label and by the inventory of earlier applies."""

from collections.abc import Iterable
from dataclasses import dataclass

from meshconfig.backend.kinds import ADOPTABLE, KINDS, OWNED, Role
from meshconfig.cluster.client import Client
from meshconfig.cluster.fields import managed_part
from meshconfig.cluster.named import crowded, named
from meshconfig.cluster.objects import BlockedError, Key, Manifest, State, key
from meshconfig.render import GROUP, MANAGED_BY

_KINDS = {kind.name: number for number, kind in enumerate(OWNED)}


class NotOurs(BlockedError):  # noqa: N818  the message says it whole
    """A resource with the name of a wanted one exists, and does not belong to this group."""


@dataclass(frozen=True, slots=True)
class Live:
    """The resources in the cluster of the kinds that graylane writes, in the namespaces that were read.

    `state` holds the group's resources reduced to `fields.managed_part`, `raw` the same resources as the server
    returned them. `unmanaged` holds the others that were read: at least those that have the name of a wanted one.
    """

    state: State
    raw: State
    unmanaged: State
    istio_api: str


def read(
    client: Client,
    group: str,
    namespaces: Iterable[str],
    inventory: Iterable[Key],
    wanted: State,
    istio_api: str,
    *,
    others: bool = False,
) -> Live:
    """Read a group's resources: those of the inventory and the wanted ones, by name or, where they are many, by its
    label and then by the names that are not among them. So its cost does not grow with the groups beside it.

    Parameters:
        group: the group's name, the value of its label.
        namespaces: every namespace where the group has or had resources.
        inventory: what earlier applies wrote. A resource with the group's label that is neither in it nor wanted
            counts as unmanaged: a group of the same name in another namespace may have written it.
        wanted: the resources that the spec renders to.
        others: read all resources of these kinds, because others may route the group's hosts as well.
    """
    spaces = set(namespaces)
    # An inventory may be forged: it counts for the kinds that graylane writes.
    asked = frozenset(name for name in (*inventory, *wanted) if name.namespace in spaces and name.kind in _KINDS)
    if others:
        found = _everything(client, asked, spaces, istio_api)
    else:
        found = named(client, asked, f"{MANAGED_BY}=graylane,{GROUP}={group}", istio_api=istio_api)
        many = crowded(asked)
        new = [name for name in wanted if name not in found and (name.kind, name.namespace) in many]
        found |= named(client, new, istio_api=istio_api)
    # In one order, whichever way they were read: a plan tells and writes in the order of what is there.
    ordered = sorted(found, key=lambda name: (name.namespace, _KINDS[name.kind], name.name))
    raw = {name: found[name] for name in ordered if label(found[name]) == group and name in asked}
    return Live(
        state={name: managed_part(one, wanted.get(name)) for name, one in raw.items()},
        raw=raw,
        unmanaged={name: one for name, one in found.items() if name not in raw},
        istio_api=istio_api,
    )


def _everything(client: Client, asked: Iterable[Key], namespaces: Iterable[str], istio_api: str) -> dict[Key, Manifest]:
    """All resources of the kinds that graylane writes."""
    # A namespace may have many ConfigMaps, such as all revisions: they are read only where one may be the group's.
    rare = {(one.kind, one.namespace) for one in asked}
    places = [
        (kind.name, namespace)
        for namespace in sorted(namespaces)
        for kind in OWNED
        if Role.RARE not in kind.role or (kind.name, namespace) in rare
    ]
    lists = client.map_concurrently(lambda place: client.list_resources(*place, istio_api=istio_api), places)
    return {key(manifest): manifest for manifests in lists for manifest in manifests}


def label(manifest: Manifest) -> str | None:
    """The group in the resource's label; None if graylane did not create the resource."""
    labels = manifest["metadata"].get("labels") or {}
    return labels.get(GROUP) if labels.get(MANAGED_BY) == "graylane" else None


def check_free(live: Live, wanted: State, group: str, *, adopts: bool = True) -> None:
    """Check that no wanted resource has the name of an unmanaged one.

    Parameters:
        adopts: the command has an option `--adopt`.

    Raises:
        NotOurs: a line for each such resource, with what the user can do.
    """
    taken = {
        name: _taken(name, live.unmanaged[name], group, adopts=adopts) for name in wanted if name in live.unmanaged
    }
    if taken:
        raise NotOurs("\n".join(["nothing was changed:", *(f"  {line}" for line in taken.values())]), taken)


def _taken(name: Key, stranger: Manifest, group: str, *, adopts: bool) -> str:
    if other := label(stranger):
        return f"{name} belongs to group {other}"
    hand_over = (
        f"kubectl label {KINDS[name.kind].resource} {name.name} -n {name.namespace} "
        f"{MANAGED_BY}=graylane {GROUP}={group}"
    )
    hint = "if it is the group's, label it"
    if KINDS[name.kind] in ADOPTABLE:
        hint = "--adopt takes it over, or label it" if adopts else f"delete it, or {hint}"
    return f"{name} is there already and is nobody's; {hint}: {hand_over}"
