"""A `*` in an exact value or a prefix of a path or an authority, where it is a character like any other."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for owner in index.resources.virtual_services:
        for number, route in enumerate(owner.spec.http):
            for place, match in enumerate(route.match):
                for field, text in (("uri", match.uri), ("authority", match.authority)):
                    for kind in ("exact", "prefix") if text is not None else ():
                        if "*" in (getattr(text, kind) or ""):
                            path = ("spec", "http", number, "match", place, field, kind)
                            yield Hit(owner, path, f"{getattr(text, kind)}: only requests with this very * match")


RULE = Rule(
    code="GL227",
    level=Level.WARNING,
    title="An exact value or a prefix contains *, which is no wildcard there.",
    fix="Write prefix: /api/ for /api/*, or a regex such as /api/[^/]+/items. For hosts, hosts takes *.example.com.",
    why="`exact` and `prefix` compare character by character: no request has the star, so the route never answers.",
    resources=check,
)
