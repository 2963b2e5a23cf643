"""What an account has to be allowed: one verb on one kind of resource in one namespace."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from meshconfig.backend.kinds import KINDS, OWNED
from meshconfig.cluster.objects import Key
from meshconfig.cluster.rights import HISTORY, LOCK, WRITE
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
        """`virtualservices.networking.istio.io`, as a Role's author looks it up."""
        path = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{path}.{self.group}" if self.group else path


# What a barrier reads in a service's namespace: is a Pod of the new subset ready?
BARRIER = ("EndpointSlice", "Pod")
RECORDS = {"Lease": LOCK, "ConfigMap": HISTORY}


def permissions(model: Model, namespaces: Iterable[str], deletes: Iterable[Key] = ()) -> list[Permission]:
    """What an apply cannot do without, sorted.

    Parameters:
        namespaces: all where the group has or had resources; they are listed in each.
        deletes: what the change takes away.
    """
    needed = set(_reading(namespaces))
    hosting = {namespace for service in model.services if (namespace := namespace_of(service.host))}
    needed |= {_permission("list", kind, namespace) for kind in BARRIER for namespace in hosting}
    needed |= {one for kind, verbs in RECORDS.items() for one in _all(verbs, kind, model.namespace)}
    needed |= {one for kind, namespace in set(_written(model)) for one in _all(WRITE, kind, namespace)}
    needed |= {_permission("delete", one.kind, one.namespace) for one in deletes}
    return sorted(needed)


def _written(model: Model) -> Iterator[tuple[str, str]]:
    """The kind and the namespace of each resource that the model renders to."""
    return ((one["kind"], one["metadata"]["namespace"]) for one in render([model]))


def _reading(namespaces: Iterable[str]) -> Iterator[Permission]:
    return (_permission("list", kind.name, namespace) for namespace in namespaces for kind in OWNED)


def _all(verbs: Iterable[str], kind: str, namespace: str) -> Iterator[Permission]:
    return (_permission(verb, kind, namespace) for verb in verbs)


def _permission(verb: str, kind: str, namespace: str) -> Permission:
    return Permission(verb, KINDS[kind].group, KINDS[kind].plural, namespace)
