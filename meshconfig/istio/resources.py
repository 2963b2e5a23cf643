"""Manifests of any origin as typed resources. What their fields mean stands in the modules beside this one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from meshconfig.errors import WANTED, InputError, Location, Problem, dotted, shown
from meshconfig.istio.gateway_api_types import GATEWAY_API, GATEWAY_KIND
from meshconfig.istio.gateway_api_types import SPECS as GATEWAY_API_SPECS
from meshconfig.istio.types import (
    DestinationRuleSpec,
    GatewaySpec,
    Metadata,
    Nothing,
    ServiceEntrySpec,
    ServiceSpec,
    View,
    VirtualServiceSpec,
    WorkloadSpec,
)

Manifest = Mapping[str, Any]


class Source(Protocol):
    """Whatever knows where a field of a manifest stands: `meshconfig.load.Document`."""

    def locate(self, path: Sequence[str | int]) -> Location: ...


S = TypeVar("S", bound=View, covariant=True)
Fault = tuple[tuple[str | int, ...], str]


@dataclass(frozen=True, slots=True)
class Resource(Generic[S]):
    """One resource: its metadata, its spec as this package reads it, and the manifest as it was written."""

    kind: str
    metadata: Metadata
    spec: S
    manifest: Manifest = field(repr=False, compare=False)
    source: Source | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    def locate(self, *path: str | int) -> Location:
        """Where a field stands in its file; a resource that came from no file is named instead."""
        return self.source.locate(path) if self.source else Location(str(self))


VirtualService = Resource[VirtualServiceSpec]
DestinationRule = Resource[DestinationRuleSpec]
Gateway = Resource[GatewaySpec]
Service = Resource[ServiceSpec]
ServiceEntry = Resource[ServiceEntrySpec]
Workload = Resource[WorkloadSpec]
Namespace = Resource[Nothing]

ISTIO_GROUP = "networking.istio.io"
# What makes Pods, by API group and kind; a bare Pod is one too.
WORKLOADS = {
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"), "apps"),
    **dict.fromkeys(("Job", "CronJob"), "batch"),
    "Rollout": "argoproj.io",
    "Pod": "",
}

# (API group, kind) → how its spec is read. The core group's name is empty.
_SPECS: dict[tuple[str, str], type[View]] = {
    (ISTIO_GROUP, "VirtualService"): VirtualServiceSpec,
    (ISTIO_GROUP, "DestinationRule"): DestinationRuleSpec,
    (ISTIO_GROUP, "Gateway"): GatewaySpec,
    (ISTIO_GROUP, "ServiceEntry"): ServiceEntrySpec,
    ("", "Service"): ServiceSpec,
    ("", "Namespace"): Nothing,
    **{(group, kind): WorkloadSpec for kind, group in WORKLOADS.items()},
    **{(GATEWAY_API, kind): spec for kind, spec in GATEWAY_API_SPECS.items()},
}


Identity = tuple[str, str, str, str]  # API group, kind, namespace, name


class UnreadableError(InputError):
    """A resource has a field of a type that Istio's or Kubernetes' API refuses.

    Parameters:
        faults: the path of each such field, and what is wrong with it.
    """

    def __init__(self, manifest: Manifest, source: Source | None, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        metadata = manifest.get("metadata")
        name = f"{manifest.get('kind')} {metadata.get('name', '') if isinstance(metadata, Mapping) else ''}"
        super().__init__(
            Problem(source.locate(path) if source else Location(name), dotted(path), message)
            for path, message in self.faults
        )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A resource that is left out of all others, because fields of it have a wrong type."""

    resource: Resource[Nothing]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Resources:
    """A set of resources, sorted by what they are; kinds that no routing decision reads are in `others`.

    A resource that is written several times is one, as in a cluster: the last is there. `repeated` has pairs of it and
    the first that says something else. `whole` are namespaces of which nothing is left out, as they were read from a
    cluster.
    """

    virtual_services: tuple[VirtualService, ...] = ()
    destination_rules: tuple[DestinationRule, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    services: tuple[Service, ...] = ()
    service_entries: tuple[ServiceEntry, ...] = ()
    workloads: tuple[Workload, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    others: tuple[Resource[View], ...] = ()
    repeated: tuple[tuple[Resource[Any], Resource[Any]], ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    whole: frozenset[str] = frozenset()

    @classmethod
    def parse(
        cls,
        manifests: Iterable[Manifest | tuple[Manifest, Source]],
        *,
        default_namespace: str = "default",
        keep_unreadable: bool = False,
        whole: Iterable[str] = (),
    ) -> "Resources":
        """Read manifests, bare or each with the source that knows its lines. `kind: List` is opened.

        Parameters:
            default_namespace: the namespace of manifests that name none.
            keep_unreadable: a resource with fields of wrong types is kept in `unreadable` and raises no error.
            whole: as in `Resources`.

        Raises:
            InputError: a field of a type that Istio's or Kubernetes' API would refuse, with its place.
        """
        read: list[Resource[Any]] = []
        unreadable: list[Unreadable] = []
        for one, place in _each(manifests):
            try:
                read.append(resource(one, place, default_namespace))
            except UnreadableError as error:
                if not keep_unreadable:
                    raise
                unreadable.append(Unreadable(_unread(one, place, default_namespace), error.faults))
        return replace(cls.of(read), unreadable=tuple(unreadable), whole=frozenset(whole))

    @classmethod
    def of(cls, resources: Iterable[Resource[Any]]) -> "Resources":
        """A set of resources that were read already; of several with one identity the last."""
        found: dict[str, list[Resource[Any]]] = {}
        kept, repeated = _each_once(resources)
        for one in kept:
            found.setdefault(one.kind, []).append(one)
        return cls(
            repeated=repeated,
            virtual_services=tuple(found.pop("VirtualService", ())),
            destination_rules=tuple(found.pop("DestinationRule", ())),
            gateways=tuple(found.pop("Gateway", ())),
            services=tuple(found.pop("Service", ())),
            service_entries=tuple(found.pop("ServiceEntry", ())),
            workloads=tuple(one for kind in WORKLOADS for one in found.pop(kind, ())),
            namespaces=tuple(found.pop("Namespace", ())),
            others=tuple(one for kind in sorted(found) for one in found[kind]),
        )


def identity(resource: Resource[Any]) -> Identity:
    """What makes it one resource in a cluster: API group, kind, namespace and name. The API's version does not."""
    group = str(resource.manifest.get("apiVersion", "")).rpartition("/")[0]
    return group, resource.kind, resource.namespace, resource.name


def _each_once(
    resources: Iterable[Resource[Any]],
) -> tuple[list[Resource[Any]], tuple[tuple[Resource[Any], Resource[Any]], ...]]:
    """The last of each resource, and pairs of it and the first that differs; one without a name is always another."""
    found: dict[object, list[Resource[Any]]] = {}
    for one in resources:
        found.setdefault(identity(one) if one.name else id(one), []).append(one)
    repeated = [
        (same[-1], next(one for one in same if one.manifest != same[-1].manifest))
        for same in found.values()
        if len(same) > 1 and any(one.manifest != same[-1].manifest for one in same)
    ]
    return [same[-1] for same in found.values()], tuple(repeated)


def by_creation(resource: Resource[Any]) -> tuple[str, str, str]:
    """Sorts the oldest first; those of equal age, as what is not in a cluster yet, by name and then namespace.

    Source: pilot model/config.go, configCompareByCreationTime.
    """
    metadata = resource.manifest.get("metadata")
    created = metadata.get("creationTimestamp") if isinstance(metadata, Mapping) else None
    # Kubernetes writes it in one form, so that its text sorts as the time does; what has none is yet to be created.
    return str(created or "yet to come"), resource.name, resource.namespace


@dataclass(frozen=True, slots=True)
class _Item:
    """One entry of a `kind: List`."""

    source: Source
    index: int

    def locate(self, path: Sequence[str | int]) -> Location:
        return self.source.locate(("items", self.index, *path))


def _each(manifests: Iterable[Manifest | tuple[Manifest, Source]]) -> Iterator[tuple[Manifest, Source | None]]:
    for item in manifests:
        yield from opened(*item) if isinstance(item, tuple) else opened(item, None)


def opened(manifest: Manifest, source: Source | None = None) -> Iterator[tuple[Manifest, Source | None]]:
    """The items of a List, which may be Lists too, as kubectl reads them; anything else as it is."""
    items = manifest.get("items") if isinstance(manifest, Mapping) else None
    if not isinstance(items, list) or not str(manifest.get("kind", "")).endswith("List"):
        yield manifest, source
        return
    for index, item in enumerate(items):
        yield from opened(item, _Item(source, index) if source else None)


def resource(manifest: Manifest, source: Source | None = None, default_namespace: str = "default") -> Resource[Any]:
    """Read one manifest.

    Parameters:
        source: what knows its lines.
        default_namespace: its namespace if it names none.

    Raises:
        InputError: as `Resources.parse`.
    """
    if not isinstance(manifest, Mapping) or not isinstance(manifest.get("kind"), str):
        place = source.locate(()) if source else Location("resource")
        raise InputError([Problem(place, "kind", "not a Kubernetes resource: it has no kind")])
    kind, group = manifest["kind"], str(manifest.get("apiVersion", "")).rpartition("/")[0]
    model = _SPECS.get((group, kind))
    # A namesake from another API group (Knative's Service) is not ours to read; the Gateway API's Gateway is another.
    if group == GATEWAY_API:
        kind = GATEWAY_KIND if kind == "Gateway" else kind
    elif not model and any(kind == known for _, known in _SPECS):
        kind = f"{kind}.{group}"
    metadata = _read(Metadata, manifest, "metadata", source)
    if kind != "Namespace" and not metadata.namespace:
        metadata = metadata.model_copy(update={"namespace": default_namespace})
    spec = _spec(kind, model, metadata, manifest, source) if model and model is not Nothing else Nothing()
    return Resource(kind, metadata, spec, manifest, source)


def _spec(kind: str, model: type[View], metadata: Metadata, manifest: Manifest, source: Source | None) -> View:
    """A Pod's labels are its own; a CronJob has those of its Pods in the template of its Jobs."""
    if kind == "Pod":
        own = {"labels": metadata.labels, "annotations": metadata.annotations}
        return WorkloadSpec.model_validate({"template": {"metadata": own}})
    if kind == "CronJob":
        spec = manifest.get("spec")
        template = spec.get("jobTemplate") if isinstance(spec, Mapping) else None
        return _read(model, template if isinstance(template, Mapping) else {}, "spec", None)
    return _read(model, manifest, "spec", source)


V = TypeVar("V", bound=View)


def _read(model: type[V], manifest: Manifest, part: str, source: Source | None) -> V:
    value = manifest.get(part) or {}
    try:
        return model.model_validate(value)
    except ValidationError:
        pass
    try:
        return model.model_validate(without_nulls(value))
    except ValidationError as error:
        faults = [((part, *one["loc"]), _fault(one)) for one in error.errors(include_url=False)]
        raise UnreadableError(manifest, source, faults) from None


def _fault(details: ErrorDetails) -> str:
    if details["type"] == "missing":
        return "this field is missing"
    if details["type"] == "greater_than_equal":
        return f"takes {details['ctx']['ge']} or more, not {shown(details['input'])}"
    wanted = WANTED.get(details["type"])
    return f"takes {wanted}, not {shown(details['input'])}" if wanted else details["msg"]


def _unread(manifest: Manifest, source: Source | None, default_namespace: str) -> Resource[Nothing]:
    """A resource with as much of its name as can be read."""
    metadata = manifest.get("metadata")
    names = metadata if isinstance(metadata, Mapping) else {}
    name, namespace = (str(names.get(key) or "") for key in ("name", "namespace"))
    known = Metadata(name=name, namespace=namespace or default_namespace)
    return Resource(str(manifest["kind"]), known, Nothing(), manifest, source)


def without_nulls(value: Any) -> Any:
    """As Kubernetes reads it: a field that is null (`labels:` and nothing behind it) is not there."""
    if isinstance(value, Mapping):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value
