"""A strict lane without a version of some service."""

from collections.abc import Iterator

from meshconfig.compile.services import Plan
from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(group: Group, _index: Index) -> Iterator[Hit]:
    spec = group.spec.spec
    plans = [Plan(name, service, group.spec) for name, service in spec.services.items()]
    for lane in spec.lanes:
        if missing := [plan.name for plan in plans if plan.refuses(lane)]:
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
