"""A mirror that gets no copies, or none from an entry."""

from collections.abc import Iterator

from meshconfig.compile.entries import splits
from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.spec import ServiceInGroup


def check(group: Group, _index: Index) -> Iterator[Hit]:
    spec = group.spec.spec
    for name in spec.services:
        if answering := _answering_mirror(group.spec.service(name)):
            message = f"{answering} answers the untagged requests itself, so none is copied to it"
            yield Hit(group, ("spec", "services", name, "mirror", "version"), message)
    for number, entry in enumerate(spec.entries):
        mirrored = sorted({one.service for one in entry.routes if spec.services[one.service].mirror})
        if mirrored and splits(entry, group.spec):
            which = "a user's first request is" if entry.sticky else "the requests that it shares out are"
            message = f"{which} not copied to the mirror of {', '.join(mirrored)}"
            yield Hit(group, ("spec", "entries", number, "split"), message)


def _answering_mirror(service: ServiceInGroup) -> str | None:
    """The mirrored version, if it gets all untagged requests that no rule takes; else None."""
    weights = service.spec.weights
    answering = [service.baseline] if weights is None else [name for name, weight in weights.items() if weight]
    mirror = service.spec.mirror
    return mirror.version if mirror and answering == [mirror.version] else None


RULE = Rule(
    code="GL611",
    level=Level.INFO,
    title="Requests are not copied to a mirror.",
    fix="Name a version that does not answer these requests, or leave the other lanes out of the split.",
    why="A version needs no copy of what it answers. And Istio copies by the route, not by the version that it chose: "
    "with a split, copies of a lane's requests would carry its tag into the services that the mirrored version calls.",
    spec=check,
)
