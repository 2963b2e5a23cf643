"""Services that call each other in a circle."""

from collections.abc import Iterator

from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(group: Group, _index: Index) -> Iterator[Hit]:
    services = group.spec.spec.services
    calls = {name: tuple(other for other in one.calls if other in services) for name, one in services.items()}
    for circle in _circles(calls):
        path = ("spec", "services", circle[-1], "calls")
        yield Hit(group, path, f"these calls lead in a circle: {' → '.join((circle[-1], *circle))}")


def _circles(calls: dict[str, tuple[str, ...]]) -> Iterator[list[str]]:
    """A circle for each call that leads back to a service on the way to it (depth-first, without recursion)."""
    done: set[str] = set()
    for start in calls:
        way: dict[str, Iterator[str]] = {} if start in done else {start: iter(calls[start])}
        while way:
            name = next(reversed(way))
            callee = next(way[name], None)
            if callee is None:
                done.add(name)
                del way[name]
            elif callee in way:
                names = list(way)
                yield names[names.index(callee) :]
            elif callee not in done:
                way[callee] = iter(calls[callee])


RULE = Rule(
    code="GL607",
    level=Level.INFO,
    title="Services call each other in a circle.",
    fix="Check calls, which lists what a service sends requests to. A real circle needs no change.",
    why="graylane orders changes so that a callee is ready before its callers. In a circle no order does that for all.",
    spec=check,
)
