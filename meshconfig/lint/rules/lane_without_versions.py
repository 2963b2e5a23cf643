"""A lane of which no service and no consumer has a version."""

from collections.abc import Iterator
from itertools import chain

from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(group: Group, _index: Index) -> Iterator[Hit]:
    spec = group.spec.spec
    what = "service or consumer" if spec.consumers else "service"
    for lane in spec.lanes:
        services = (group.spec.service(name).version_in for name in spec.services)
        consumers = (group.spec.consumer(name).version_in for name in spec.consumers)
        if lane != spec.tag.default and not any(version_in(lane) for version_in in chain(services, consumers)):
            message = f"no {what} has a version {lane}, and versions names none for it"
            yield Hit(group, ("spec", "lanes", lane), message)


RULE = Rule(
    code="GL602",
    level=Level.WARNING,
    title="No service has a version of a lane.",
    fix="Name a version like the lane, or map it: versions: {SERVICE: VERSION}.",
    why="The tag of this lane has no effect: its requests go where untagged requests go.",
    spec=check,
)
