"""A route with two equal destinations."""

from collections.abc import Iterator

from meshconfig.istio import fqdn
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for at in index.http.forked:
        first: dict[tuple[object, ...], int] = {}
        for place, one in enumerate(at.route.route):
            target = one.destination
            # The same version with other headers is another thing: a split that sets the tag.
            key = (fqdn(target.host, at.owner.namespace), target.subset, target.port.number, repr(one.headers))
            if (earlier := first.setdefault(key, place)) != place:
                path = (*at.path, "route", place)
                yield Hit(at.owner, path, f"the same destination as route[{earlier}]: their weights add up")


RULE = Rule(
    code="GL208",
    level=Level.WARNING,
    title="A route names one destination twice.",
    fix="Name the intended version, or add the two weights up.",
    why="The weights of equal destinations add up, so the real split differs from what the route seems to say.",
    kiali=("KIA1105",),
    resources=check,
)
