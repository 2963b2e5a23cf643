"""Objects that only a controller lets go: those with a finalizer of graylane's. None should be left when it is
uninstalled, for nobody would end their deletion."""

from collections.abc import Iterable

from meshconfig.backend.kinds import GRAYLANE, KINDS
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key, Manifest, key


def held(client: Client, namespaces: Iterable[str]) -> list[Key]:
    """The objects of graylane's kinds with such a finalizer, sorted. One list a kind and namespace.

    Parameters:
        namespaces: an empty one stands for all.
    """
    kinds = [kind.name for kind in KINDS.values() if kind.group == GRAYLANE]
    places = list(namespaces)
    found: set[Key] = set()
    for kind in kinds:  # a kind that the cluster does not serve has no objects
        for place in places:
            listed: set[Key] = client.read_into(set, _add, kind, place, stored=True)
            found |= listed
    return sorted(found)


def _add(found: set[Key], one: Manifest) -> None:
    """Keeps no more of an object than its name: a Rollout may take a megabyte."""
    if any(each.startswith(f"{GRAYLANE}/") for each in one["metadata"].get("finalizers") or ()):
        found.add(key(one))
