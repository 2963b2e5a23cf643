"""A header's name with an upper-case letter or an underscore."""

from collections.abc import Iterator

from meshconfig.istio import HeaderOperations, VirtualService
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.load import FieldPath


def check(index: Index) -> Iterator[Hit]:
    for owner, path, name in _names(index):
        message = f"{name}: write {name.lower().replace('_', '-')}, and send that"
        yield Hit(owner, path, message)


def _names(index: Index) -> Iterator[tuple[VirtualService, FieldPath, str]]:
    """The names that do not survive, with their fields."""
    for at in index.http.matches("headers"):
        for name in filter(_is_altered, at.match.headers):
            yield at.owner, (*at.path, "headers", name), name
    for at in index.http.matches("without_headers"):
        for name in filter(_is_altered, at.match.without_headers):
            yield at.owner, (*at.path, "withoutHeaders", name), name
    for owner, path, headers in index.http.headers:
        for place, name in _changed((*path, "request"), headers.request):
            if _is_altered(name):
                yield owner, place, name


def _is_altered(name: str) -> bool:
    return not name.startswith("@") and (name != name.lower() or "_" in name)


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
