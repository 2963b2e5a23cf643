"""Hosts of one entry between which browsers do not share the cookie of a bucket."""

from collections.abc import Iterator

from meshconfig.compile.sticky import cookie_domain, shares
from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(group: Group, _index: Index) -> Iterator[Hit]:
    for number, entry in enumerate(group.spec.spec.entries):
        keeps = any(shares(entry, group.spec.service(route.service)) for route in entry.routes)
        several = len(entry.hosts) > 1 or entry.hosts[0].startswith("*")
        if keeps and several and cookie_domain(entry) is None:
            message = f"a user is drawn anew at each of the hosts {', '.join(entry.hosts)}"
            yield Hit(group, ("spec", "entries", number, "sticky"), message)


RULE = Rule(
    code="GL621",
    level=Level.INFO,
    title="Hosts of a sticky entry do not share their users' buckets.",
    fix="Write sticky.domain, such as example.com, if all hosts are below one domain of yours.",
    why="A browser sends a cookie to the host that has set it, unless the cookie names a domain that the hosts are "
    "below. graylane cannot know which domain is yours alone.",
    spec=check,
)
