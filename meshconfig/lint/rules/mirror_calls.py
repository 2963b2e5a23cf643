"""A mirrored version that calls other services."""

from collections.abc import Iterator

from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(group: Group, _index: Index) -> Iterator[Hit]:
    for name, service in group.spec.spec.services.items():
        if service.mirror and service.calls:
            version, called = service.mirror.version, ", ".join(service.calls)
            message = f"{name} {version} works on copies of requests without a lane's tag, and calls {called} for each"
            yield Hit(group, ("spec", "services", name, "mirror"), message)


RULE = Rule(
    code="GL610",
    level=Level.WARNING,
    title="A version that gets copies of requests calls other services.",
    fix="Have the version leave out what must not happen twice, such as an order or a mail; or mirror a version that "
    "only reads.",
    why="A copy carries no lane's tag, so the baseline's versions handle these calls like any other: what they write "
    "is written twice.",
    spec=check,
)
