"""Finds a group: tries all VirtualServices, and leaves out those that a spec cannot say until the rest fits.

Of the Gateway API, VirtualServices stand for the routes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshconfig.compile import compile_group
from meshconfig.errors import InputError, Location
from meshconfig.importing.entries import read_entry
from meshconfig.importing.group import CannotSayError, Found
from meshconfig.importing.merged import originals, owner
from meshconfig.importing.mesh import read_mesh, refused_service
from meshconfig.importing.replaced import replaced
from meshconfig.importing.said import Unsaid
from meshconfig.importing.services import Services, rules_of, unsaid_rule
from meshconfig.importing.spec import Value, document
from meshconfig.importing.tables import Line, Table, tables
from meshconfig.istio import MESH, Resource, Resources
from meshconfig.istio.gateway_api import is_of_gateway_api
from meshconfig.istio.hosts import ServiceName, is_wildcard, service_name
from meshconfig.istio.resources import identity
from meshconfig.model import Model
from meshconfig.render import Manifest, render
from meshconfig.simulate import Index
from meshconfig.simulate.index import in_order
from meshconfig.spec import LaneGroup
from meshconfig.spec.base import validate


@dataclass(frozen=True, slots=True)
class Fitted:
    """A group that fits.

    Parameters:
        value: its document. model: what it compiles to.
        unsaid: what it does not say, and is left alone.
    """

    found: Found
    value: Value
    model: Model
    unsaid: tuple[Unsaid, ...]


class NothingToSayError(Exception):
    """No VirtualService, and no route of the Gateway API, is one that a spec can say. `unsaid` has the reasons."""

    def __init__(self, unsaid: Iterable[Unsaid]) -> None:
        self.unsaid = tuple(unsaid)
        super().__init__("no route is one that a spec can say")


Finish = Callable[[Value, Found], Value]


@dataclass(slots=True)
class _Search:
    """The VirtualServices that are left out so far, by what they are left out with (`owner`), and why.

    Parameters:
        given: the resources as they are in the cluster, where those of `index` stand for others.
        finish: what becomes of the document before it is compiled.
    """

    index: Index
    tag: str
    every: list[Table]
    given: Resources
    finish: Finish
    left: set[str] = field(default_factory=set)
    unsaid: dict[Unsaid, None] = field(default_factory=dict)

    @property
    def kept(self) -> list[Table]:
        return [one for one in self.every if owner(one.resource) not in self.left]

    def leave(self, table: Table, why: Iterable[Unsaid]) -> None:
        self.left.add(owner(table.resource))
        self.unsaid.update(dict.fromkeys(why))


def fit(
    index: Index,
    tag: str,
    name: str,
    namespace: str,
    wanted: Callable[[Resource[Any]], bool],
    given: Resources | None = None,
    finish: Finish = lambda value, found: value,
    unsaid: Iterable[Unsaid] = (),
) -> Fitted:
    """The largest group that is found by leaving out what cannot be said.

    Parameters:
        tag: the name of the tag's header.
        name, namespace: the group's.
        wanted: whether a VirtualService, or all routes that it stands for, may become part of the group.
        given: the resources as they are in the cluster, where those of the index stand for others.
        finish: makes a document for another backend of one for Istio's.
        unsaid: what is known to be left alone.

    Raises:
        NothingToSayError: nothing is left.
    """
    search = _Search(index, tag, tables(index, tag), given or index.resources, finish)
    search.unsaid.update(dict.fromkeys(unsaid))
    for table in search.every:
        if not all(map(wanted, originals([table.resource]))):
            search.leave(table, ())
        elif table.unsaid:
            search.leave(table, table.unsaid)
    while True:
        before = len(search.left)
        found = _attempt(search)
        if len(search.left) > before:
            continue
        if not found.services:
            raise NothingToSayError(search.unsaid)
        value = search.finish(document(found, name, namespace), found)
        made = _made(value, found, search)
        if made is not None and not _taken(*made, search):
            return Fitted(found, value, made[0], tuple(search.unsaid))
        if len(search.left) == before:
            raise NothingToSayError(search.unsaid)


def _attempt(search: _Search) -> Found:
    """Reads all tables that are kept. Leaves out those that cannot be said, so that the next attempt may fit."""
    kept, found = search.kept, Found(search.tag)
    services = Services(search.index, kept, _blocked(search))
    for table in kept:
        for line in table.lines:
            if line.route.refusal and (name := refused_service(line.route.refusal)) and table.in_mesh:
                services.named(table.hosts[0], name)
    fixed: set[ServiceName] = set()
    for table in kept:
        if table.in_mesh:
            _leave(search, table, _mesh(table, found, services, fixed, search))
    for table in _by_age(kept):
        _leave(search, table, _guarded(read_entry(table, found, services, frozenset(fixed))))
    found.services = services.found
    return found


def _by_age(kept: Iterable[Table]) -> list[Table]:
    """The tables at Gateways, in the order in which istiod merges them."""
    given = [one for one in kept if not one.in_mesh]
    order = {one.key: place for place, one in enumerate(in_order([one.resource for one in given], ""))}
    return sorted(given, key=lambda one: (order.get(one.resource.key, len(order)), one.gateway))


Problems = Iterator[tuple[Line | None, str]]


def _guarded(problems: Problems) -> Problems:
    try:
        yield from problems
    except CannotSayError as error:
        yield None, str(error)


def _leave(search: _Search, table: Table, problems: Problems) -> None:
    if noted := [table.note(line, why) for line, why in problems]:
        search.leave(table, noted)


def _mesh(table: Table, found: Found, services: Services, fixed: set[ServiceName], search: _Search) -> Problems:
    for host in table.hosts:
        name = service_name(host)
        if name is None or is_wildcard(host):
            what = "a wildcard" if is_wildcard(host) else "no Service of the cluster"
            yield None, f"the host {host} is {what}, and a spec has routes for Services"
            continue
        first = search.index.of_service(host, name.namespace)
        if first and first[0].key != table.resource.key:
            search.unsaid[table.note(None, f"not in force for {host}: sidecars use {first[0]}")] = None
            continue
        fixed.add(name)
        yield from _guarded(read_mesh(table, name, found, services))


def _blocked(search: _Search) -> dict[str, str]:
    """The hosts whose routes between services stay, and those with a DestinationRule that a spec cannot say."""
    blocked: dict[str, str] = {}
    for table in search.every:
        if owner(table.resource) in search.left and table.gateway == MESH:
            reason = f"its routes between services stay as they are, as {table.resource} is left alone"
            blocked |= {host: f"it leads to {host}: {reason}" for host in table.hosts}
    hosts = {target.host for table in search.kept for line in table.lines for target in line.route.targets}
    hosts |= {host for table in search.kept if table.in_mesh for host in table.hosts}
    for host in sorted(hosts - blocked.keys()):
        if (name := service_name(host)) is None:
            continue
        first = search.index.of_service(host, name.namespace)[:1]
        if first and owner(first[0]) in search.left:
            blocked[host] = (
                f"it leads to {host}: its routes between services are those of {first[0]}, which is left alone"
            )
        for rule in rules_of(search.index, name):
            if unsaid := list(unsaid_rule(rule)):
                search.unsaid.update(dict.fromkeys(unsaid))
                blocked[host] = f"it leads to {host}: {rule} is left alone"
    return blocked


def _made(value: Value, found: Found, search: _Search) -> tuple[Model, list[Manifest]] | None:
    """The model of a document and its resources; None if there is none, and then the tables behind it are left out."""

    def at(path: Sequence[str | int]) -> Location:
        return Location("")

    try:
        model = compile_group(validate(LaneGroup, value, at), at)
        return model, render([model])
    except InputError as error:
        for problem in error.problems:
            for table in _behind(problem.path, found, search):
                search.leave(table, [table.note(None, f"{problem.path}: {problem.message}")])
        return None


def _behind(path: str, found: Found, search: _Search) -> list[Table]:
    """The tables that a field of the document comes from; all of them where none in particular."""
    for number, entry in enumerate(found.entries):
        if path.startswith(f"spec.entries[{number}]"):
            return [
                one
                for one in search.kept
                if (one.gateway, one.hosts, one.listener) == (entry.gateway, entry.hosts, entry.listener)
            ]
    for service in found.services.values():
        if path.startswith((f"spec.services.{service.name}.", f'spec.services["{service.name}"]')):
            led = [one for one in search.kept if service.host in one.hosts and one.in_mesh]
            return led or [one for one in search.kept if _leads_to(one, service.host)]
    return search.kept


def _leads_to(table: Table, host: str) -> bool:
    return any(target.host == host for line in table.lines for target in line.route.targets)


def _host(manifest: Manifest) -> str:
    """The first host of what a group renders to."""
    spec, namespace = manifest["spec"], manifest["metadata"]["namespace"]
    for parent in spec.get("parentRefs") or ():
        if parent["kind"] == "Service":
            return ServiceName(parent["name"], namespace).host
    return str((spec.get("hostnames") or spec.get("hosts") or [spec.get("host")])[0])


def _taken(model: Model, rendered: Iterable[Manifest], search: _Search) -> bool:
    """Whether a resource of the group would have the name of one that is left alone; then its table is left out."""
    given = search.given
    going = {identity(one) for one in originals(replaced(search.index, model))}
    routes = (one for one in given.others if is_of_gateway_api(one))
    every = (*given.virtual_services, *given.destination_rules, *given.gateways, *routes)
    staying = {(one.kind, one.namespace, one.name): one for one in every if identity(one) not in going}
    for manifest in rendered:
        metadata = manifest["metadata"]
        other = staying.get((manifest["kind"], metadata["namespace"], metadata["name"]))
        if other is None:
            continue
        host = _host(manifest)
        why = f"its routes would be in a resource with the name of {other}, which is left alone"
        tables = [one for one in search.kept if host in one.hosts or _leads_to(one, host)]
        for table in tables:
            search.leave(table, [table.note(None, why)])
        return bool(tables)
    return False
