"""What a route does to a request's headers.

Measured on Envoy 1.40: one set of operations first removes, then sets, then adds, in whatever order they are written.
Setting or adding an empty value does nothing. For a route with one destination, pilot makes one set of operations, the
route's before the destination's. With several destinations, Envoy applies the destination's operations first and the
route's after them, so the route's `set` wins.
"""

from collections.abc import Iterable

from meshconfig.istio import HeaderOperations
from meshconfig.istio.destinations import is_internal
from meshconfig.istio.strings import UnknownError
from meshconfig.simulate.request import Pairs


def applied(headers: Pairs, route: HeaderOperations, destination: HeaderOperations, *, weighted: bool) -> Pairs:
    """The headers that the proxy sends on.

    Parameters:
        headers: the request's headers, names in lower case.
        route, destination: the operations on request headers of the route and of its destination.
        weighted: the route has more than one destination in its manifest.

    Raises:
        UnknownError: a value contains `%`; Envoy reads it as a format string and computes the value.
    """
    if weighted:
        return _run(_run(headers, [destination]), [route])
    return _run(headers, [route, destination])


def _run(headers: Pairs, operations: Iterable[HeaderOperations]) -> Pairs:
    operations = tuple(operations)
    removed = {name.lower() for one in operations for name in one.remove if not is_internal(name)}
    kept = [pair for pair in headers if pair[0] not in removed]
    for name, value in _pairs([one.set for one in operations]):
        kept = [pair for pair in kept if pair[0] != name] + [(name, value)]
    return tuple(kept + _pairs([one.add for one in operations]))


def _pairs(groups: Iterable[dict[str, str]]) -> list[tuple[str, str]]:
    named = [
        (name.lower(), value) for group in groups for name, value in sorted(group.items()) if not is_internal(name)
    ]
    return [(name, _literal(name, value)) for name, value in named if value]


def _literal(name: str, value: str) -> str:
    if "%" in value.replace("%%", ""):
        raise UnknownError(f"the value of header {name} is made by Envoy from {value!r}")
    return value.replace("%%", "%")
