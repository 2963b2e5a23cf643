"""A Sidecar that keeps the hosts of a service outside the mesh from the proxies that call it."""

from collections.abc import Iterator, Mapping
from typing import Any

from meshconfig.groups import Group
from meshconfig.istio import Resource, View
from meshconfig.istio.hosts import covers
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.model import Service


def check(group: Group, index: Index) -> Iterator[Hit]:
    model = group.model
    outside = {one.name: one for one in model.services if one.outside}
    calling: dict[str, dict[str, Service]] = {}
    for service in model.services if outside else ():
        for called in service.calls:
            if called in outside:
                calling.setdefault(service.namespace, {})[called] = outside[called]
    for sidecar in index.resources.others:
        if sidecar.kind != "Sidecar":
            continue
        for service in calling.get(sidecar.namespace, {}).values():
            if missing := _missing(sidecar, service):
                yield Hit(sidecar, ("spec", "egress"), _message(sidecar, service, missing))


def _missing(sidecar: Resource[View], service: Service) -> list[str]:
    """The hosts of a service that no egress listener imports; none where the Sidecar imports everything."""
    listeners = _spec(sidecar).get("egress") or []
    if not listeners:
        return []
    named = [str(host).partition("/") for one in listeners for host in _spec_of(one).get("hosts") or ()]
    taken = [name for place, _, name in named if place in ("*", service.namespace) or _own(place, sidecar, service)]
    hosts = [table.host for table in service.mesh_tables]
    return [host for host in hosts if not any(covers(name, host) for name in taken)]


def _own(place: str, sidecar: Resource[View], service: Service) -> bool:
    return place == "." and sidecar.namespace == service.namespace


def _message(sidecar: Resource[View], service: Service, missing: list[str]) -> str:
    what = f"its proxies do not know {', '.join(missing)} of {service.name}"
    write = f"add {service.namespace}/{missing[0]} to hosts"
    mode = _spec_of(_spec(sidecar).get("outboundTrafficPolicy")).get("mode")
    if mode == "REGISTRY_ONLY":
        return f"{what}, and REGISTRY_ONLY has them refuse its calls: {write}"
    return f"{what}: its calls go out as they are, with their tag, unless the mesh has them refused: {write}"


def _spec(sidecar: Resource[View]) -> Mapping[str, Any]:
    return _spec_of(sidecar.manifest.get("spec"))


def _spec_of(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


RULE = Rule(
    code="GL617",
    level=Level.ERROR,
    title="A Sidecar hides a service outside the mesh from those who call it.",
    fix="Add NAMESPACE/HOST of each of its hosts to the Sidecar's egress, or let `graylane render --sidecar` write it.",
    why="A proxy that does not know a host applies the mesh's outboundTrafficPolicy: REGISTRY_ONLY refuses the call, "
    "ALLOW_ANY sends it on as it is, to the real host and with the lane's tag.",
    spec=check,
)
