"""A header's name with an upper-case letter or an underscore."""

from collections.abc import Iterator

from meshconfig.istio import HeaderOperations, HTTPRoute
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.load import FieldPath


def check(index: Index) -> Iterator[Hit]:
    for owner in index.resources.virtual_services:
        for number, route in enumerate(owner.spec.http):
            for path, name in _names(route):
                if not name.startswith("@") and (name != name.lower() or "_" in name):
                    message = f"{name}: write {name.lower().replace('_', '-')}, and send that"
                    yield Hit(owner, ("spec", "http", number, *path), message)


def _names(route: HTTPRoute) -> Iterator[tuple[FieldPath, str]]:
    for number, match in enumerate(route.match):
        for field, names in (("headers", match.headers), ("withoutHeaders", match.without_headers)):
            for name in names:
                yield ("match", number, field, name), name
    yield from _changed(("headers", "request"), route.headers.request)
    for number, one in enumerate(route.route):
        yield from _changed(("route", number, "headers", "request"), one.headers.request)


def _changed(path: FieldPath, change: HeaderOperations) -> Iterator[tuple[FieldPath, str]]:
    for field, names in (("set", change.set), ("add", change.add)):
        for name in names:
            yield (*path, field, name), name
    for number, name in enumerate(change.remove):
        yield (*path, "remove", number), name


RULE = Rule(
    code="GL209",
    level=Level.WARNING,
    title="A header's name has an upper-case letter or an underscore.",
    fix="Write it in lower case with hyphens, here and in clients.",
    why="Istio requires lower case and hyphens; proxies and servers on the way drop or refuse headers with "
    "underscores (nginx, gunicorn, Envoy at an edge), and HTTP/2 has lower case only.",
    resources=check,
)
