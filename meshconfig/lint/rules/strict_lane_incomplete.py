"""A strict lane without a version of some service."""

from collections.abc import Iterator

from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(group: Group, _index: Index) -> Iterator[Hit]:
    spec = group.spec.spec
    strict = [name for name, lane in spec.lanes.items() if lane.mode == "strict"]
    services = [group.spec.service(name) for name in spec.services] if strict else []
    for lane in strict:
        if missing := [service.name for service in services if service.refuses(lane)]:
            message = f"{lane} has no version of {', '.join(missing)}: its requests there are answered 503"
            yield Hit(group, ("spec", "lanes", lane, "mode"), message)


RULE = Rule(
    code="GL603",
    level=Level.WARNING,
    title="A strict lane has no version of a service.",
    fix="Deploy the version, map one (versions: {SERVICE: VERSION}), or make the lane permissive.",
    why="A strict lane does not fall back: a request of this lane that reaches the service is refused.",
    spec=check,
)
