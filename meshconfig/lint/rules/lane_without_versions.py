"""A lane of which no service has a version."""

from collections.abc import Iterator

from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(group: Group, _index: Index) -> Iterator[Hit]:
    spec = group.spec.spec
    for lane in spec.lanes:
        services = (group.spec.service(name) for name in spec.services)
        if lane != spec.tag.default and not any(service.version_in(lane) for service in services):
            yield Hit(
                group, ("spec", "lanes", lane), f"no service has a version {lane}, and versions names none for it"
            )


RULE = Rule(
    code="GL602",
    level=Level.WARNING,
    title="No service has a version of a lane.",
    fix="Name a version like the lane, or map it: versions: {SERVICE: VERSION}.",
    why="The tag of this lane has no effect: its requests go where untagged requests go.",
    spec=check,
)
