"""How far a change reaches that follows what is stored in the cluster, and not a spec of the caller's own.

Whoever may write ConfigMaps in the group's namespace may forge what is stored. So a stored spec, or a resource that
`rollback` gives back, counts for the group's own namespace and for those that the caller names by an option. Istio
obeys a VirtualService in the whole mesh, whatever its namespace is; so between services, it may name no host that is
elsewhere either, unless the group routes that host already.
"""

from collections.abc import Collection, Iterable, Iterator, Set

from meshconfig.bounded import one_line
from meshconfig.cluster.objects import Manifest, State
from meshconfig.errors import ClusterError
from meshconfig.istio import MESH
from meshconfig.istio.hosts import fqdns, is_wildcard, namespace_of

LONGEST = 300  # bytes of the hosts in a message


class NotAllowedError(ClusterError):
    """What is stored of a group reaches where the caller does not let it; nothing was written."""


def check_namespaces(group: str, named: Iterable[str], places: Set[str]) -> None:
    """Check the namespaces of a stored spec's resources.

    Parameters:
        group: the group, as NAMESPACE/NAME.
        places: the namespaces in which the change may write.

    Raises:
        NotAllowedError: there is another one; the message has the option that allows it.
    """
    if foreign := sorted(set(named) - places):
        raise NotAllowedError(
            f"nothing was changed: the spec that is stored of group {group} has resources in "
            f"namespace {', '.join(foreign)}; if they are the group's, allow it: {_options(foreign)}"
        )


def check_hosts(group: str, resources: State, live: State, places: Collection[str]) -> None:
    """Check the hosts that stored resources would route between services.

    Parameters:
        group: the group, as NAMESPACE/NAME.
        resources: what is to be written.
        live: the resources that the group has in the cluster.
        places: the namespaces in which the change may write.

    Raises:
        NotAllowedError: a host is no Service of these namespaces, and the group does not route it now.
    """
    foreign = sorted(_mesh_hosts(resources.values()) - _mesh_hosts(live.values()))
    foreign = [host for host in foreign if _namespace(host) not in places]
    if not foreign:
        return
    spaces = sorted({space for space in map(_namespace, foreign) if space})
    hint = f"allow it: {_options(spaces)}" if all(map(_namespace, foreign)) else "apply it from a file of your own"
    raise NotAllowedError(
        f"nothing was changed: what is stored of group {group} would route {one_line(', '.join(foreign), LONGEST)} in "
        f"the mesh, which the group does not route now and which is elsewhere than in namespace "
        f"{', '.join(sorted(places))}; if that is right, {hint}"
    )


def _options(namespaces: Iterable[str]) -> str:
    return " ".join(f"--allow-namespace {one}" for one in namespaces)


def _mesh_hosts(manifests: Iterable[Manifest]) -> set[str]:
    return {host for one in manifests for host in fqdns(_named(one), one["metadata"]["namespace"])}


def _named(manifest: Manifest) -> Iterator[str]:
    """The hosts of which a resource says something to sidecars, as it writes them."""
    spec = manifest.get("spec") or {}
    match manifest["kind"]:
        case "VirtualService" if MESH in (spec.get("gateways") or (MESH,)):
            yield from spec.get("hosts") or ()
        case "DestinationRule":
            yield spec.get("host") or ""
        case "ServiceEntry":
            yield from spec.get("hosts") or ()


def _namespace(host: str) -> str | None:
    """The namespace of a Service's host, or of all hosts of a pattern; None where it may have none or another."""
    return namespace_of(f"any{host[1:]}" if is_wildcard(host) and host[1:2] == "." else host)
