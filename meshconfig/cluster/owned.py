"""What of the cluster is a group's: by its label, and by the inventory of what it has written before."""

from collections.abc import Iterable
from dataclasses import dataclass

from meshconfig.backend.kinds import KINDS, OWNED
from meshconfig.cluster.client import Client
from meshconfig.cluster.fields import managed_part
from meshconfig.cluster.objects import Key, Manifest, State, key
from meshconfig.errors import ClusterError
from meshconfig.render import GROUP, MANAGED_BY


class NotOurs(ClusterError):  # noqa: N818  the message says it whole
    """A resource of a name that is wanted is there already, and is not this group's."""


@dataclass(frozen=True, slots=True)
class Live:
    """What is in the cluster, of the kinds that graylane writes, in the namespaces that were read.

    `state` holds the group's own as `fields.managed_part` reads them, `raw` the same as the server gave them;
    `unmanaged` are all others.
    """

    state: State
    raw: State
    unmanaged: State
    istio_api: str


def read(
    client: Client, group: str, namespaces: Iterable[str], inventory: Iterable[Key], wanted: State, istio_api: str
) -> Live:
    """One list of each kind in each namespace.

    Parameters:
        group: the group's name, as its label has it.
        namespaces: where the group has or had resources.
        inventory: what earlier applies have written. A resource with the group's label that is neither in it nor
            wanted is left alone: another group of this name, in another namespace, may have written it.
        wanted: what should be.
    """
    places = [(kind.name, namespace) for namespace in sorted(set(namespaces)) for kind in OWNED]
    lists = client.map_concurrently(lambda place: client.list_resources(*place, istio_api=istio_api), places)
    found = {key(manifest): manifest for manifests in lists for manifest in manifests}
    known = {*inventory, *wanted}
    raw = {name: one for name, one in found.items() if label(one) == group and name in known}
    return Live(
        state={name: managed_part(one, wanted.get(name)) for name, one in raw.items()},
        raw=raw,
        unmanaged={name: one for name, one in found.items() if name not in raw},
        istio_api=istio_api,
    )


def label(manifest: Manifest) -> str | None:
    """The group whose label it carries, None where graylane has not made it."""
    labels = manifest["metadata"].get("labels") or {}
    return labels.get(GROUP) if labels.get(MANAGED_BY) == "graylane" else None


def check_free(live: Live, wanted: State, group: str) -> None:
    """No wanted resource has the name of one that is somebody else's.

    Raises:
        NotOurs: one line for each, with what to do.
    """
    taken = [_taken(name, live.unmanaged[name], group) for name in wanted if name in live.unmanaged]
    if taken:
        raise NotOurs("\n".join(["nothing was changed:", *taken]))


def _taken(name: Key, stranger: Manifest, group: str) -> str:
    if other := label(stranger):
        return f"  {name} belongs to group {other}"
    hand_over = (
        f"kubectl label {KINDS[name.kind].resource} {name.name} -n {name.namespace} "
        f"{MANAGED_BY}=graylane {GROUP}={group}"
    )
    return f"  {name} is there already and is nobody's; to hand it over: {hand_over}"
