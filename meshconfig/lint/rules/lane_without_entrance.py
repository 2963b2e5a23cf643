"""A lane that nobody can enter."""

from collections.abc import Iterator

from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.spec import Entry


def check(group: Group, _index: Index) -> Iterator[Hit]:
    spec = group.spec.spec
    # Without entries, whoever calls these services sets the tag.
    for lane in spec.lanes if spec.entries else ():
        if lane != spec.tag.default and not any(_enters(entry, lane) for entry in spec.entries):
            message = (
                f"no entry leads into {lane}: none honours its tag, has a cookie or a host for it, admits into it or "
                "splits to it"
            )
            yield Hit(group, ("spec", "lanes", lane), message)


def _enters(entry: Entry, lane: str) -> bool:
    admitted = any(admit.lane == lane for admit in entry.admit)
    return entry.tag == "trusted" or _browsers(entry) or admitted or bool((entry.split or {}).get(lane))


def _browsers(entry: Entry) -> bool:
    return entry.cookie is not None or entry.lane_hosts is not None


RULE = Rule(
    code="GL601",
    level=Level.WARNING,
    title="No request from outside can enter a lane.",
    fix="Add an admit rule for it, give it a share of a split, or trust the tag at an entry.",
    why="Its versions run and never get a request from outside.",
    spec=check,
)
