"""A cookie or a host for lanes at an entry that does not trust tags."""

from collections.abc import Iterator

from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(group: Group, _index: Index) -> Iterator[Hit]:
    for number, entry in enumerate(group.spec.spec.entries):
        if entry.tag != "untrusted":
            continue
        for field, given in (
            ("cookie", entry.cookie),
            ("laneHosts", entry.lane_hosts),
            ("sticky", entry.sticky and entry.split),
        ):
            if given:
                message = f"{field} lets anybody outside choose a lane, although the entry ignores tags from outside"
                yield Hit(group, ("spec", "entries", number, field), message)


RULE = Rule(
    code="GL612",
    level=Level.INFO,
    title="A cookie or a host from outside chooses the lane at an entry that trusts no tag.",
    fix="Leave it if clients outside may choose a lane this way; else admit testers by a claim of a verified token.",
    why="A cookie and a host come from outside like a tag: whoever knows a lane's name can send them.",
    spec=check,
)
