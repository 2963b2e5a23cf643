"""Which resources of others a group takes the place of: those that route its hosts and say no more than a spec."""

from collections.abc import Iterable, Iterator
from typing import Any

from meshconfig.importing.merged import owner
from meshconfig.importing.services import rules_of, unsaid_rule
from meshconfig.importing.tables import Table, tables
from meshconfig.istio import MESH, Resource
from meshconfig.istio.hosts import is_wildcard, service_name
from meshconfig.model import Model
from meshconfig.simulate import Index

Places = dict[str, set[str]]  # the hosts that a group routes, by Gateway; between services under `mesh`


def places(model: Model) -> Places:
    """The hosts that a group routes between services and at each Gateway."""
    found: Places = {MESH: {one.host for one in model.services}}
    for entry in model.entries:
        found.setdefault(entry.gateway, set()).update(host.lower() for host in entry.hosts)
    return found


def replaced(index: Index, model: Model) -> list[Resource[Any]]:
    """The VirtualServices and DestinationRules whose place a group takes.

    A VirtualService is replaced if the group routes each of its hosts at each of its Gateways, all its routes lead to
    the group's services, and a spec can say them. So are the delegates that no other VirtualService uses. A
    DestinationRule is replaced if it is that of a service, in the service's namespace.
    """
    where, hosts = places(model), {one.host for one in model.services}
    by_owner: dict[str, list[Table]] = {}
    for table in tables(index, model.tag):
        by_owner.setdefault(owner(table.resource), []).append(table)
    whole = [found for found in by_owner.values() if all(_covered(one, where, hosts) for one in found)]
    going = list({one.resource.key: one.resource for found in whole for one in found}.values())
    rules = [
        rule
        for service in model.services
        if (name := service_name(service.host))
        for rule in rules_of(index, name)
        if not any(unsaid_rule(rule))
    ]
    return [*going, *_delegates(index, {one.key for one in going}), *rules]


def _covered(table: Table, where: Places, hosts: set[str]) -> bool:
    if not set(table.hosts) <= where.get(table.gateway, set()) or (table.in_mesh and _wild(table)):
        return False
    targets = {target.host for line in table.lines for target in line.route.targets}
    return not table.unsaid and targets <= hosts


def _delegates(index: Index, going: set[str]) -> Iterator[Resource[Any]]:
    """The delegates of VirtualServices that go, without those that others use too."""
    used: dict[str, set[str]] = {}
    for one in index.resources.virtual_services:
        for route in one.spec.http:
            if route.delegate is not None:
                name = f"{route.delegate.namespace or one.namespace}/{route.delegate.name}"
                used.setdefault(name, set()).add(one.key)
    return (index.delegates[name] for name, roots in used.items() if name in index.delegates and roots <= going)


def without(resources: Iterable[Resource[Any]], going: Iterable[Resource[Any]]) -> list[Resource[Any]]:
    """The resources that stay."""
    gone = {id(one) for one in going}
    return [one for one in resources if id(one) not in gone]


def _wild(table: Table) -> bool:
    return any(map(is_wildcard, table.hosts))
