"""The permissions that a change needs: a verb on a kind of resource in a namespace."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from meshconfig.backend.kinds import KINDS, OWNED, Role, kind_of
from meshconfig.cluster.objects import Key
from meshconfig.cluster.rights import HISTORY, LOCK, ROLLOUTS, WRITE
from meshconfig.istio.hosts import namespace_of
from meshconfig.model import Model
from meshconfig.render import render


class Permission(NamedTuple):
    """Source: Kubernetes, authorization.k8s.io/v1 ResourceAttributes; the core group's name is empty."""

    verb: str
    group: str
    resource: str
    namespace: str
    subresource: str = ""

    @property
    def what(self) -> str:
        """The resource with its API group, `virtualservices.networking.istio.io`."""
        path = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{path}.{self.group}" if self.group else path


# A barrier reads these in a service's namespace to see whether a new subset has a ready Pod.
BARRIER = ("EndpointSlice", "Pod")
RECORDS = {"Lease": LOCK, "ConfigMap": HISTORY, "Rollout": ROLLOUTS}


def permissions(model: Model, namespaces: Iterable[str], deletes: Iterable[Key] = ()) -> list[Permission]:
    """The permissions that an apply cannot do without, sorted.

    Parameters:
        namespaces: every namespace where the group has or had resources; an apply lists each kind in each of them.
        deletes: the resources that the change deletes.
    """
    needed = set(_reading(namespaces))
    hosting = {namespace for service in model.services if (namespace := namespace_of(service.host))}
    needed |= {_permission("list", kind, namespace) for kind in BARRIER for namespace in hosting}
    needed |= {one for kind, verbs in RECORDS.items() for one in _all(verbs, kind, model.namespace)}
    deletes, written = list(deletes), set(_written(model))
    needed |= {one for kind, namespace in written for one in _all(WRITE, kind, namespace)}
    needed |= {_permission("delete", one.kind, one.namespace) for one in deletes}
    there = {*written, *((one.kind, one.namespace) for one in deletes)}
    needed |= {_permission("list", *place) for place in there if _is_rare(place[0])}
    return sorted(needed)


def _written(model: Model) -> Iterator[tuple[str, str]]:
    """The kind and the namespace of each resource that the model renders to."""
    return ((kind_of(one), one["metadata"]["namespace"]) for one in render([model]))


def _reading(namespaces: Iterable[str]) -> Iterator[Permission]:
    kinds = [kind.name for kind in OWNED if Role.RARE not in kind.role]
    return (_permission("list", kind, namespace) for namespace in namespaces for kind in kinds)


def _is_rare(kind: str) -> bool:
    return Role.RARE in KINDS[kind].role and Role.ROSTER not in KINDS[kind].role  # a roster's is among RECORDS


def _all(verbs: Iterable[str], kind: str, namespace: str) -> Iterator[Permission]:
    return (_permission(verb, kind, namespace) for verb in verbs)


def _permission(verb: str, kind: str, namespace: str) -> Permission:
    return Permission(verb, KINDS[kind].group, KINDS[kind].plural, namespace)
