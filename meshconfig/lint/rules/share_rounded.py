"""Shares of a sticky split that are no whole number of buckets."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from meshconfig.compile.sticky import lane_owners, version_owners, weights_without_lanes
from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.load import FieldPath


def check(group: Group, _index: Index) -> Iterator[Hit]:
    for number, entry in enumerate(group.spec.spec.entries):
        if entry.sticky is None:
            continue
        at: FieldPath = ("spec", "entries", number)
        if entry.split and (said := _rounded(entry.split, lane_owners(entry.sticky, entry.split, group.spec))):
            yield Hit(group, (*at, "split"), said)
        for index, route in enumerate(entry.routes):
            service = group.spec.service(route.service)
            if said := _rounded(weights_without_lanes(service), version_owners(entry.sticky, service)):
                yield Hit(group, (*at, "routes", index, "service"), f"of the versions of {route.service}, {said}")


def _rounded(shares: Mapping[str, int], owners: Sequence[str]) -> str:
    """The shares that are rounded, each with what it becomes; empty where each is a whole number of buckets."""
    if not owners:
        return ""
    total, buckets, found = sum(shares.values()), len(owners), Counter(owners)
    said = [
        f"{name} has {found[name] or 'none'} of {buckets} buckets, {100 * found[name] / buckets:.4g} % in place of "
        f"{100 * share / total:.4g} %"
        for name, share in shares.items()
        if share * buckets != found[name] * total
    ]
    return "; ".join(said)


RULE = Rule(
    code="GL620",
    level=Level.WARNING,
    title="A sticky share is rounded to whole buckets.",
    fix="Write shares that are whole numbers of buckets, or give sticky more buckets (at most 100).",
    why="Users move bucket by bucket: a share is rounded to whole buckets, a small one to none, and the baseline has "
    "what is left.",
    spec=check,
)
