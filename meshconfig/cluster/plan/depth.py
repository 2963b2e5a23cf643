"""The order in which services change: those that are called before those that call them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from meshconfig.model import Model, RouteTable


def depths(model: Model) -> dict[str, int]:
    """The depth of each host: 0 if it calls nothing, else one more than the deepest host that it calls.

    Where services call each other in a cycle, the call that closes the cycle does not count.
    """
    hosts = {service.name: service.host for service in model.services}
    calls = {service.name: [name for name in service.calls if name in hosts] for service in model.services}
    found: dict[str, int] = {}
    for start in calls:
        _visit(start, calls, found)
    return {hosts[name]: depth for name, depth in found.items()}


def _visit(start: str, calls: Mapping[str, list[str]], found: dict[str, int]) -> None:
    """Finds depths depth-first, without recursion, because a chain of calls may exceed Python's recursion limit."""
    path, on_path = [start], {start}
    while path:
        name = path[-1]
        if name not in found and (below := next((c for c in calls[name] if c not in found and c not in on_path), None)):
            path.append(below)
            on_path.add(below)
            continue
        found.setdefault(name, max((found[c] + 1 for c in calls[name] if c in found), default=0))
        on_path.discard(path.pop())


def called(model: Model) -> frozenset[str] | None:
    """The hosts that some service calls; None if the spec has no `calls` at all, so that any host may be called."""
    hosts = {service.name: service.host for service in model.services}
    if not any(service.calls for service in model.services):
        return None
    return frozenset(hosts[name] for service in model.services for name in service.calls if name in hosts)


def leaf_first(tables: Iterable[RouteTable], depth: Mapping[str, int]) -> tuple[tuple[RouteTable, ...], ...]:
    """Route tables between services, in waves of equal depth of their hosts. Hosts that call nothing are first."""
    waves: dict[int, list[RouteTable]] = defaultdict(list)
    for table in tables:
        waves[depth.get(table.host, 0)].append(table)
    return tuple(tuple(waves[number]) for number in sorted(waves))
