"""An entry that lets foreign members of baggage in."""

from collections.abc import Iterator

from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.model import TagChange


def check(group: Group, _index: Index) -> Iterator[Hit]:
    spec = group.spec.spec
    for number, entry in enumerate(spec.entries):
        if entry.baggage == "keep":
            kept = sum(any(_keeps(one.tag) for one in route.targets) for route in group.model.entries[number].routes)
            message = (
                f"this doubles {kept} routes; if a request brings members of others, a service that reads "
                f"baggage alone sees no lane{_readers(group, number)}"
            )
            yield Hit(group, ("spec", "entries", number, "baggage"), message)


def _keeps(change: TagChange) -> bool:
    return change is not None and not change.baggage


def _readers(group: Group, number: int) -> str:
    """Those among the entry's services, as a clause."""
    spec = group.spec.spec
    names = sorted({route.service for route in spec.entries[number].routes})
    found = [name for name in names if spec.services[name].carries == "baggage"]
    return f": {', '.join(found)}" if found else ""


RULE = Rule(
    code="GL606",
    level=Level.INFO,
    title="An entry keeps baggage that comes from outside.",
    fix="Leave baggage: replace, unless clients outside send members that services need.",
    why="The entry needs a second set of routes. Where these apply, baggage lacks the lane's member: Istio can replace "
    "a header, but it cannot add a member to one.",
    spec=check,
)
