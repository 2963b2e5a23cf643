"""`headers.request.set` on `baggage`, which is everybody's."""

from collections.abc import Iterator, Mapping

from meshconfig.backend.istio.virtual_service import tag_values
from meshconfig.baggage import HEADER
from meshconfig.istio import Headers, HTTPRoute
from meshconfig.istio.gateways import in_mesh
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.load import FieldPath
from meshconfig.model import SetTag


def check(index: Index) -> Iterator[Hit]:
    for owner in index.resources.virtual_services:
        at_entry = not in_mesh(owner.spec.gateways)
        for number, route in enumerate(owner.spec.http):
            for path, headers in _headers(route):
                given = headers.request.set
                for name in given:
                    if name.lower() == HEADER and not (at_entry and _settles(given)):
                        at = ("spec", "http", number, *path, "request", "set", name)
                        yield Hit(owner, at, "this replaces every member of the header, other people's too")


def _settles(given: Mapping[str, str]) -> bool:
    """Is baggage set to the member of a tag whose header is set to the same value?"""
    changes = [(tag, SetTag(value, baggage=True)) for tag, value in given.items()]
    return any(tag_values(change, tag).items() <= given.items() for tag, change in changes)


def _headers(route: HTTPRoute) -> Iterator[tuple[FieldPath, Headers]]:
    yield ("headers",), route.headers
    for number, one in enumerate(route.route):
        yield ("route", number, "headers"), one.headers


RULE = Rule(
    code="GL214",
    level=Level.WARNING,
    title="A route sets the header baggage.",
    fix="Set a header of your own, such as env, and let the services put it into their baggage.",
    why="`baggage` carries members of every team and tracer; `set` replaces all of them by this one. An entry may: "
    "there baggage comes from outside, and set together with the tag, header and member agree.",
    resources=check,
)
