"""The request that `graylane explain` is asked about: who sends it, to which host, port and path, by its options."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from meshconfig import baggage
from meshconfig.cli.explain_input import Given
from meshconfig.errors import InputError, nearest
from meshconfig.istio import MESH, Resources, VirtualService, Workload
from meshconfig.istio.gateways import bound_to
from meshconfig.istio.hosts import domain_matches, is_short
from meshconfig.istio.services import host_of
from meshconfig.model import Carries, Model, Service
from meshconfig.simulate import ANY_GATEWAY, Carrying, Destination, Index, Request
from meshconfig.simulate.in_mesh import names_of
from meshconfig.simulate.index import resolved_hosts
from meshconfig.simulate.request import split_port
from meshconfig.simulate.servers import servers

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


class Hop(NamedTuple):
    """A service of a chain. `model`: that of its spec; None for a Service that no spec has."""

    name: str
    host: str
    port: int | None
    carries: Carries = "both"
    model: Model | None = None


class Names:
    """Translates between the services and versions of specs and the hosts and subsets of Istio's resources."""

    def __init__(self, given: Given) -> None:
        models = given.models
        self.given = given
        self.services = {service.name: service for model in models for service in model.services}
        self.by_host = {service.host: service for service in self.services.values()}
        self.models = {service.host: model for model in models for service in model.services}
        self.carrying = Carrying(
            tuple(sorted({model.tag for model in models})) or ("env",),
            {service.host: service.carries for service in self.services.values()},
        )

    def find(self, name: str) -> Service | None:
        """A spec's service by its name, its Service's name or its full host."""
        known = self.services.get(name) or self.by_host.get(name)
        return known or next((one for one in self.services.values() if one.resource.name == name), None)

    def hop(self, name: str, namespace: str | None) -> Hop:
        """A service of a chain.

        Raises:
            InputError: no spec and no Service has that name.
        """
        if (service := self.find(name)) is not None:
            return Hop(service.name, service.host, service.port, service.carries, self.models[service.host])
        host, port = split_port(name)
        for full in names_of(host, namespace or _only_namespace(self.given.resources, host) or "default"):
            if (known := self.given.index.registry.by_host.get(full)) is not None:
                return Hop(name, known.host, port)
        raise self.unknown(name)

    def unknown(self, name: str) -> InputError:
        """The error about a name that no service has."""
        known = [*self.services, *(one.name for one in self.given.resources.services)]
        return InputError.at(self.given.files or "--from", f"there is no service {name}{nearest(name, known)}")

    def version(self, destination: Destination) -> str:
        service = self.by_host.get(destination.host)
        name = service.name if service else destination.host
        return f"{name} / {destination.subset}" if destination.subset else name


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of `graylane explain` that make the request.

    Parameters:
        host: a host, `host:port`, or a URL.
        source: who sends it: a service, `namespace/workload` or `namespace/`; None where it is not said.
        path, port, scheme: None where they are not said, or said by a URL.
        namespace: that of short names; None where it is not said.
    """

    host: str
    path: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    source: str | None = None
    port: int | None = None
    scheme: str | None = None
    gateway: str | None = None
    namespace: str | None = None


class _Target(NamedTuple):
    """What a host or a URL says."""

    authority: str
    path: str | None
    scheme: str | None
    port: int | None


class Sender(NamedTuple):
    """The Pods that send a request. `labels`: None where they are not known."""

    namespace: str
    labels: Mapping[str, str] | None
    name: str


def request(names: Names, asked: Asked) -> tuple[Request, str]:
    """The request, and a sentence on where it comes from.

    Raises:
        InputError: an option is malformed, contradicts another, or names what is not there.
    """
    target = _target(asked)
    if asked.source is not None and asked.gateway is not None:
        raise InputError.at("--gateway", "takes a request from outside; --from is for one from a Pod")
    path = target.path or "/"
    if asked.source is not None:
        sender = _sender(names, asked.source, asked.namespace)
    elif asked.gateway is None and (inside := _inside(names.given, target.authority, asked.namespace)):
        sender = Sender(inside, None, "")
    else:
        gateway = _gateway(names.given.index, asked)
        scheme = target.scheme or "http"
        made = Request(
            target.authority, path, asked.method.upper(), asked.headers, gateway, port=target.port, scheme=scheme
        )
        return made, f"from outside, at Gateway {gateway}" if gateway != ANY_GATEWAY else "from outside, at a gateway"
    return _from_pod(names, asked, target, sender, path)


def _from_pod(names: Names, asked: Asked, target: _Target, sender: Sender, path: str) -> tuple[Request, str]:
    host, said = split_port(target.authority)
    service = names.find(host)
    if service is None and names.given.only_specs:
        raise names.unknown(host)
    # A URL without a port means its scheme's; a name alone means the port of the service.
    port = target.port or said or (service.port if service else None)
    if port is None and "//" in asked.host:
        port = {"http": 80, "https": 443}[target.scheme or "http"]
    authority = service.host if service else target.authority
    made = Request(
        authority,
        path,
        asked.method.upper(),
        asked.headers,
        source_namespace=sender.namespace,
        source_labels=sender.labels,
        port=port,
        scheme=target.scheme or "http",
    )
    return made, f"from {sender.name or f'a Pod in namespace {sender.namespace}'}"


def _target(asked: Asked) -> _Target:
    given = asked.host
    try:
        parts = urlsplit(given if "//" in given else f"//{given}")
        port = parts.port
    except ValueError:
        raise InputError.at("--host", f"{given!r} is no host") from None
    authority = parts.netloc.rpartition("@")[2]
    if not parts.hostname or any(char.isspace() for char in authority):
        raise InputError.at("--host", f"{given!r} is no host")
    if parts.scheme and parts.scheme not in _SCHEMES:
        raise InputError.at("--host", f"takes a URL of http or https, not {parts.scheme}")
    said = parts.path + (f"?{parts.query}" if parts.query else "")
    path = _one("--path", asked.path, said or None)
    scheme = _one("--scheme", asked.scheme, _SCHEMES.get(parts.scheme))
    if asked.port is not None and port is not None and asked.port != port:
        raise InputError.at("--port", f"is {asked.port}, and --host has port {port}: give one")
    if asked.port is not None and not 0 < asked.port < 65536:
        raise InputError.at("--port", f"takes a port from 1 to 65535, not {asked.port}")
    if path is not None and not path.startswith("/"):
        path = f"/{path}" if path.startswith("?") else path
    return _Target(authority, path, scheme, asked.port)


def _one(option: str, given: str | None, said: str | None) -> str | None:
    """What an option gives or the URL says; both only where they are the same."""
    if given is not None and said is not None and given != said:
        raise InputError.at(option, f"is {given}, and --host has {said}: give one")
    return given if given is not None else said


def _inside(given: Given, authority: str, namespace: str | None) -> str:
    """The namespace of a sender in the mesh, where the host is one of the mesh alone; empty for one of a gateway."""
    host = split_port(authority)[0].lower()
    owner = namespace or _only_namespace(given.resources, host) or "default"
    wanted = list(names_of(host, owner))
    is_service = any(name in given.index.registry.by_host for name in wanted)
    virtual_services = given.resources.virtual_services
    at_gateway = (one for one in virtual_services if bound_to(one.spec.gateways, one.namespace) != {MESH})
    if given.only_specs or any(_names(one, [host]) for one in at_gateway):
        return ""
    if not is_service and any(place.serves(host) for place in servers(given.index)):
        return ""
    return owner if is_service or any(_names(one, wanted) for one in virtual_services) else ""


def _names(one: VirtualService, hosts: Iterable[str]) -> bool:
    return any(domain_matches(name, host) for name in resolved_hosts(one) for host in hosts)


def _only_namespace(resources: Resources, host: str) -> str | None:
    """The namespace that a short name can only mean: that of the one Service, or else VirtualService, that has it."""
    if not is_short(host):
        return None
    found = {one.namespace for one in resources.services if one.name == host} or {
        one.namespace for one in resources.virtual_services if host in one.spec.hosts
    }
    return next(iter(found)) if len(found) == 1 else None


def _gateway(index: Index, asked: Asked) -> str:
    if asked.gateway is None:
        return ANY_GATEWAY
    name = asked.gateway if "/" in asked.gateway else f"{asked.namespace or 'default'}/{asked.gateway}"
    alike = [one for one in index.gateways if one.partition("/")[2] == asked.gateway]
    if name not in index.gateways and asked.namespace is None and len(alike) == 1:
        return alike[0]
    if name not in index.gateways:
        raise InputError.at("--gateway", f"there is no Gateway {name}{nearest(name, index.gateways)}")
    return name


def _sender(names: Names, source: str, namespace: str | None) -> Sender:
    """Who sends a request, by `--from`.

    Raises:
        InputError: nothing has that name.
    """
    resources = names.given.resources
    owner, slash, name = source.partition("/")
    if slash and not name:
        return Sender(owner, None, "")
    if slash:
        return _in_namespace(names, owner, name)
    if (service := names.find(source)) is not None:
        return Sender(service.namespace, _labels_behind(names.given, service.host), f"service {service.name}")
    spaces = [one.namespace for one in resources.services if one.name == source]
    if namespace is not None or not spaces:
        workloads = [one.namespace for one in resources.workloads if one.name == source]
        spaces = [one for one in dict.fromkeys([*spaces, *workloads]) if namespace in (None, one)]
    if len(set(spaces)) > 1:
        listed = ", ".join(sorted(set(spaces)))
        raise InputError.at("--from", f"{source} is in the namespaces {listed}: write NAMESPACE/{source}")
    if not spaces:
        known = [one.name for one in resources.workloads if namespace in (None, one.namespace)]
        where = f" in namespace {namespace}" if namespace else ""
        hint = nearest(source, {*names.services, *(one.name for one in resources.services), *known})
        place = names.given.files if names.given.only_specs else "--from"
        raise InputError.at(place, f"there is no service {source}{where}{hint}")
    return _in_namespace(names, spaces[0], source, service_first=True)


def _in_namespace(names: Names, namespace: str, name: str, *, service_first: bool = False) -> Sender:
    resources = names.given.resources
    workload = next((one for one in resources.workloads if (one.namespace, one.name) == (namespace, name)), None)
    service = next((one for one in resources.services if (one.namespace, one.name) == (namespace, name)), None)
    if service is not None and (service_first or workload is None):
        return Sender(namespace, _labels_behind(names.given, host_of(service)), f"Service {namespace}/{name}")
    if workload is not None:
        return Sender(namespace, _labels(workload), f"{workload.kind} {namespace}/{name}")
    known = [one.name for one in (*resources.workloads, *resources.services) if one.namespace == namespace]
    if known:
        raise InputError.at("--from", f"there is no workload and no Service {namespace}/{name}{nearest(name, known)}")
    return Sender(namespace, None, f"{namespace}/{name}, whose labels are not given")


def _labels_behind(given: Given, host: str) -> Mapping[str, str] | None:
    """The labels of the Pods of a Service; None where they are not known, or not the same for all."""
    known = given.index.registry.by_host.get(host)
    found = given.index.registry.workloads(known.namespace, known.selector) if known and known.selector else None
    every = [_labels(one) for one in found or ()]
    return every[0] if every and all(one == every[0] for one in every) else None


def _labels(workload: Workload) -> Mapping[str, str]:
    return workload.spec.template.metadata.labels


def unknown_lanes(given: Given, headers: Iterable[tuple[str, str]]) -> list[str]:
    """A sentence for each tag that names no lane of any spec with that tag."""
    lanes: dict[str, set[str]] = {}
    for group in given.groups:
        lanes.setdefault(group.model.tag, set()).update(group.spec.spec.lanes)
    sent = [(tag, value) for tag in lanes for value in dict.fromkeys(_tags(headers, tag)) if value]
    return [
        f"{tag}: there is no lane {value}{nearest(value, lanes[tag])}"
        for tag, value in sent
        if value.partition(".")[0] not in lanes[tag]
    ]


def _tags(headers: Iterable[tuple[str, str]], tag: str) -> list[str]:
    """The values of a tag: of its header, else of its member of W3C baggage."""
    pairs = [(name.lower(), value) for name, value in headers]
    if sent := [value for name, value in pairs if name == tag.lower()]:
        return sent
    members = baggage.members(value for name, value in pairs if name == baggage.HEADER)
    return [baggage.value_of(one) for one in members if baggage.key_of(one) == tag]
