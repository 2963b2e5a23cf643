"""The request that is to be explained: who sends it, to which host, port and path."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from meshconfig.errors import InputError, Location, Problem, nearest
from meshconfig.explain.given import Given
from meshconfig.explain.names import Names, only_namespace
from meshconfig.istio import MESH, VirtualService, Workload
from meshconfig.istio.gateways import bound_to
from meshconfig.istio.hosts import domain_matches
from meshconfig.istio.services import host_of
from meshconfig.simulate import ANY_GATEWAY, Index, Request
from meshconfig.simulate.in_mesh import names_of
from meshconfig.simulate.index import resolved_hosts
from meshconfig.simulate.request import split_port
from meshconfig.simulate.servers import servers

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


def at_option(name: str, message: str) -> Problem:
    """A problem with an option of `graylane explain`."""
    return Problem(Location(f"--{name}"), "", message)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked about: the options of `graylane explain`, or the `request` of a routing test.

    Errors call the parts by their names there: `host`, `path`, `from`, `port`, `scheme`, `gateway`.

    Parameters:
        host: a host, `host:port`, or a URL.
        source: who sends it: a service, `namespace/workload` or `namespace/`; None where it is not said.
        path, port, scheme: None where they are not said, or said by a URL.
        namespace: that of short names; None where it is not said.
        problem: makes a problem of a part's name and a message.
        prefix: stands before the parts' names in messages.
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
    problem: Callable[[str, str], Problem] = at_option
    prefix: str = "--"

    def error(self, name: str, message: str) -> InputError:
        """The error about one part, with its place."""
        return InputError([self.problem(name, message)])


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
        InputError: a part is malformed, contradicts another, or names what is not there.
    """
    target = _target(asked)
    if asked.source is not None and asked.gateway is not None:
        raise asked.error("gateway", f"takes a request from outside; {asked.prefix}from is for one from a Pod")
    path = target.path or "/"
    if asked.source is not None:
        sender = _sender(names, asked, asked.source)
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
        raise asked.error("host", names.unknown(host))
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
        raise asked.error("host", f"{given!r} is no host") from None
    authority = parts.netloc.rpartition("@")[2]
    if not parts.hostname or any(char.isspace() for char in authority):
        raise asked.error("host", f"{given!r} is no host")
    if parts.scheme and parts.scheme not in _SCHEMES:
        raise asked.error("host", f"takes a URL of http or https, not {parts.scheme}")
    said = parts.path + (f"?{parts.query}" if parts.query else "")
    path = _one(asked, "path", asked.path, said or None)
    scheme = _one(asked, "scheme", asked.scheme, _SCHEMES.get(parts.scheme))
    if asked.port is not None and port is not None and asked.port != port:
        raise asked.error("port", f"is {asked.port}, and {asked.prefix}host has port {port}: give one")
    if asked.port is not None and not 0 < asked.port < 65536:
        raise asked.error("port", f"takes a port from 1 to 65535, not {asked.port}")
    if path is not None and not path.startswith("/"):
        path = f"/{path}" if path.startswith("?") else path
    return _Target(authority, path, scheme, asked.port)


def _one(asked: Asked, name: str, given: str | None, said: str | None) -> str | None:
    """What a part of its own gives or the URL says; both only where they are the same."""
    if given is not None and said is not None and given != said:
        raise asked.error(name, f"is {given}, and {asked.prefix}host has {said}: give one")
    return given if given is not None else said


def _inside(given: Given, authority: str, namespace: str | None) -> str:
    """The namespace of a sender in the mesh, where the host is one of the mesh alone; empty for one of a gateway."""
    host = split_port(authority)[0].lower()
    owner = namespace or only_namespace(given.resources, host) or "default"
    wanted = list(names_of(host, owner))
    is_service = any(name in given.index.registry.by_host for name in wanted)
    virtual_services = given.index.resources.virtual_services
    at_gateway = (one for one in virtual_services if bound_to(one.spec.gateways, one.namespace) != {MESH})
    if given.only_specs or any(_names(one, [host]) for one in at_gateway):
        return ""
    if not is_service and any(place.serves(host) for place in servers(given.index)):
        return ""
    return owner if is_service or any(_names(one, wanted) for one in virtual_services) else ""


def _names(one: VirtualService, hosts: Iterable[str]) -> bool:
    return any(domain_matches(name, host) for name in resolved_hosts(one) for host in hosts)


def _gateway(index: Index, asked: Asked) -> str:
    if asked.gateway is None:
        return ANY_GATEWAY
    name = asked.gateway if "/" in asked.gateway else f"{asked.namespace or 'default'}/{asked.gateway}"
    alike = [one for one in index.gateways if one.partition("/")[2] == asked.gateway]
    if name not in index.gateways and asked.namespace is None and len(alike) == 1:
        return alike[0]
    if name not in index.gateways:
        raise asked.error("gateway", f"there is no Gateway {name}{nearest(name, index.gateways)}")
    return name


def _sender(names: Names, asked: Asked, source: str) -> Sender:
    """Who sends a request, by its `from`.

    Raises:
        InputError: nothing has that name.
    """
    resources, namespace = names.given.resources, asked.namespace
    owner, slash, name = source.partition("/")
    if slash and not name:
        return Sender(owner, None, "")
    if slash:
        return _in_namespace(names, asked, owner, name)
    if (service := names.find(source)) is not None:
        return Sender(service.namespace, _labels_behind(names.given, service.host), f"service {service.name}")
    spaces = [one.namespace for one in resources.services if one.name == source]
    if namespace is not None or not spaces:
        workloads = [one.namespace for one in resources.workloads if one.name == source]
        spaces = [one for one in dict.fromkeys([*spaces, *workloads]) if namespace in (None, one)]
    if len(set(spaces)) > 1:
        listed = ", ".join(sorted(set(spaces)))
        raise asked.error("from", f"{source} is in the namespaces {listed}: write NAMESPACE/{source}")
    if not spaces:
        known = [one.name for one in resources.workloads if namespace in (None, one.namespace)]
        where = f" in namespace {namespace}" if namespace else ""
        hint = nearest(source, {*names.services, *(one.name for one in resources.services), *known})
        raise asked.error("from", f"there is no service {source}{where}{hint}")
    return _in_namespace(names, asked, spaces[0], source, service_first=True)


def _in_namespace(names: Names, asked: Asked, namespace: str, name: str, *, service_first: bool = False) -> Sender:
    resources = names.given.resources
    workload = next((one for one in resources.workloads if (one.namespace, one.name) == (namespace, name)), None)
    service = next((one for one in resources.services if (one.namespace, one.name) == (namespace, name)), None)
    if service is not None and (service_first or workload is None):
        return Sender(namespace, _labels_behind(names.given, host_of(service)), f"Service {namespace}/{name}")
    if workload is not None:
        return Sender(namespace, _labels(workload), f"{workload.kind} {namespace}/{name}")
    known = [one.name for one in (*resources.workloads, *resources.services) if one.namespace == namespace]
    if known:
        raise asked.error("from", f"there is no workload and no Service {namespace}/{name}{nearest(name, known)}")
    return Sender(namespace, None, f"{namespace}/{name}, whose labels are not given")


def _labels_behind(given: Given, host: str) -> Mapping[str, str] | None:
    """The labels of the Pods of a Service; None where they are not known, or not the same for all."""
    known = given.index.registry.by_host.get(host)
    found = given.index.registry.workloads(known.namespace, known.selector) if known and known.selector else None
    every = [_labels(one) for one in found or ()]
    return every[0] if every and all(one == every[0] for one in every) else None


def _labels(workload: Workload) -> Mapping[str, str]:
    return workload.spec.template.metadata.labels
