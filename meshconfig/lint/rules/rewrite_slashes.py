"""A rewrite of a prefix after which two slashes, or none, are between the new prefix and the rest of the path."""

from collections.abc import Iterator

from meshconfig.istio import HTTPMatchRequest, HTTPRewrite, HTTPRoute
from meshconfig.istio.types import StringMatch
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.origin import Rendered
from meshconfig.lint.rule import Hit, Rule
from meshconfig.simulate.paths import rewritten

REST = "items"


def check(index: Index) -> Iterator[Hit]:
    for owner in index.http.owners_of_routes("rewrite"):
        earlier: set[str] = set()
        for number, route in enumerate(owner.spec.http):
            wrong = _first_wrong(route, earlier)
            if wrong and not (isinstance(owner.source, Rendered) and number != owner.source.last_of_path(number)):
                yield Hit(owner, ("spec", "http", number, "rewrite", "uri"), wrong)


def _first_wrong(route: HTTPRoute, earlier: set[str]) -> str:
    """The first match whose rewrite is wrong, in words. Adds the prefixes of the route to those before it."""
    rewrite = route.rewrite if route.rewrite is not None and route.rewrite.uri.startswith("/") else None
    wrong = ""
    for match in route.match:
        prefix = match.uri.prefix if match.uri else None
        if prefix:
            # `/api/` before `/api` leaves the latter the bare path alone.
            if rewrite and f"{prefix}/" not in earlier:
                wrong = wrong or _wrong(prefix, rewrite)
            earlier.add(prefix)
    return wrong


def _wrong(prefix: str, rewrite: HTTPRewrite) -> str:
    """Rewrites a path below the prefix, as Envoy does."""
    if prefix == "/":
        return ""
    path = prefix + REST if prefix.endswith("/") else f"{prefix}/{REST}"
    sent = rewritten(path, rewrite, HTTPMatchRequest(uri=StringMatch(prefix=prefix)))
    good = sent.endswith(f"/{REST}") and "//" not in sent
    return "" if good else f"{path} becomes {sent}"


RULE = Rule(
    code="GL225",
    level=Level.WARNING,
    title="A rewrite leaves two slashes, or none, before the rest of the path.",
    fix="End both the matched prefix and the rewrite with a slash, or neither. For the rewrite /, match PREFIX/ and "
    "the exact path PREFIX.",
    why="Envoy replaces the matched prefix by the rewrite and keeps the rest as it is. Many servers answer 404 to a "
    "path with two slashes.",
    resources=check,
)
