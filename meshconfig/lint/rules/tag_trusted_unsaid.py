"""An entry open to any host that honours an outside tag without saying so."""

from collections.abc import Iterator

from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.spec import Entry


def check(group: Group, index: Index) -> Iterator[Hit]:
    spec = group.spec.spec
    for number, entry in enumerate(spec.entries if len(spec.lanes) > 1 else ()):
        if "tag" not in entry.model_fields_set and _open_to_all(entry, index):
            message = (
                f"the Gateway serves any host: whoever sends {spec.tag.header} chooses a lane, and tag does not say so"
            )
            yield Hit(group, ("spec", "entries", number, "tag"), message)


def _open_to_all(entry: Entry, index: Index) -> bool:
    if entry.gateway.use is None:
        return "*" in entry.hosts
    gateway = index.gateways.get(entry.gateway.use)
    return gateway is not None and any(
        host.rpartition("/")[2] == "*" for server in gateway.spec.servers for host in server.hosts
    )


RULE = Rule(
    code="GL604",
    level=Level.WARNING,
    title="An entry for any host trusts a tag from outside, but the spec does not say so.",
    fix="Write tag: trusted if outside clients may choose their lane, else tag: untrusted.",
    why="Any client that sends the header gets the gray versions.",
    spec=check,
)
