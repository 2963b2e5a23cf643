"""`headers.request.set` on `baggage`, which is everybody's."""

from collections.abc import Iterator, Mapping

from meshconfig.backend.istio.virtual_service import tag_values
from meshconfig.baggage import HEADER
from meshconfig.istio.gateways import in_mesh
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.model import SetTag


def check(index: Index) -> Iterator[Hit]:
    for owner, path, headers in index.http.headers:
        given = headers.request.set
        for name in given:
            if name.lower() == HEADER and (in_mesh(owner.spec.gateways) or not _settles(given)):
                at = (*path, "request", "set", name)
                yield Hit(owner, at, "this replaces every member of the header, other people's too")


def _settles(given: Mapping[str, str]) -> bool:
    """Is baggage set to the member of a tag whose header is set to the same value?"""
    changes = [(tag, SetTag(value, baggage=True)) for tag, value in given.items()]
    return any(tag_values(change, tag).items() <= given.items() for tag, change in changes)


RULE = Rule(
    code="GL214",
    level=Level.WARNING,
    title="A route sets the header baggage.",
    fix="Set a header of your own, such as env, and let the services put it into their baggage.",
    why="`baggage` carries members of every team and tracer; `set` replaces all of them by this one. An entry may: "
    "there baggage comes from outside, and set together with the tag, header and member agree.",
    resources=check,
)
