"""`headers.request.set` on `baggage`, which is everybody's."""

from collections.abc import Iterator

from meshconfig.istio import Headers, HTTPRoute
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.rules.baggage_regex import HEADER
from meshconfig.load import FieldPath


def check(index: Index) -> Iterator[Hit]:
    for owner in index.resources.virtual_services:
        for number, route in enumerate(owner.spec.http):
            for path, headers in _headers(route):
                for name in headers.request.set:
                    if name.lower() == HEADER:
                        at = ("spec", "http", number, *path, "request", "set", name)
                        yield Hit(owner, at, "this replaces every member of the header, other people's too")


def _headers(route: HTTPRoute) -> Iterator[tuple[FieldPath, Headers]]:
    yield ("headers",), route.headers
    for number, one in enumerate(route.route):
        yield ("route", number, "headers"), one.headers


RULE = Rule(
    code="GL214",
    level=Level.WARNING,
    title="A route sets the header baggage.",
    fix="Set a header of your own, such as env, and let the services put it into their baggage.",
    why="`baggage` carries members of every team and tracer; `set` replaces all of them by this one.",
    resources=check,
)
