"""A `*` in an exact value or a prefix of a path or an authority, where it is a character like any other."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for at in index.http.matches("uri", "authority"):
        for field, text in (("uri", at.match.uri), ("authority", at.match.authority)):
            for kind in ("exact", "prefix") if text is not None else ():
                if "*" in (written := getattr(text, kind) or ""):
                    yield Hit(at.owner, (*at.path, field, kind), f"{written}: only requests with this very * match")


RULE = Rule(
    code="GL227",
    level=Level.WARNING,
    title="An exact value or a prefix contains *, which is no wildcard there.",
    fix="Write prefix: /api/ for /api/*, or a regex such as /api/[^/]+/items. For hosts, hosts takes *.example.com.",
    why="`exact` and `prefix` compare character by character: no request has the star, so the route never answers.",
    resources=check,
)
