"""Headers in whatever shape a library keeps them: read, write, remove, by names in lower case.

Shapes: a mapping (dict, requests' CaseInsensitiveDict, aiohttp's CIMultiDict), a type of headers (httpx's, Starlette's,
werkzeug's, websockets', wsgiref's, email.message's, grpc.aio's metadata), or pairs (ASGI's, Kafka's, gRPC's). Names and
values may be str or bytes. A message without headers may have None.
"""

from collections.abc import Iterable
from typing import Any, Protocol

from propagation.fields import HeaderNames

Found = dict[str, list[str]]


class Carrier(Protocol):
    """Where headers are written."""

    def find(self, names: HeaderNames) -> Found:
        """The values of these headers, whatever the case in which they are written; those that are there."""
        ...

    def add(self, name: str, value: str) -> None:
        """Write a header that is not there."""
        ...

    def remove(self, name: str) -> None:
        """Take away every header of this name."""
        ...


def find(headers: Any, names: HeaderNames) -> Found:
    """The values of those headers that are called one of `names`, by name, in the order they came.

    Of the other headers, most are not even looked at: a request has many, and this runs for each.
    """
    found: Found = {}
    lengths = names.lengths
    for key, value in pairs(headers):
        try:
            if len(key) not in lengths:
                continue
        except TypeError:
            continue  # what is neither str nor bytes is no header's name
        name = _text(key).lower()
        if name in names:
            found.setdefault(name, []).extend(texts(value if isinstance(value, (list, tuple)) else (value,)))
    return found


def texts(values: Iterable[Any]) -> list[str]:
    """Values as text; what is neither str nor bytes is no header's value, and reads as an empty one."""
    return [_text(value) for value in values]


# What gives every value of a header that came several times, where `items` gives one or none: httpx's and Starlette's,
# email.message's and websockets'. And what gives in one step what `items` looks up one by one: requests'.
_ALL_ITEMS = ("multi_items", "raw_items", "lower_items", "items")


def pairs(headers: Any) -> Iterable[tuple[Any, Any]]:
    """Names and values, a header that came twice twice where the library still knows. None has none."""
    if isinstance(headers, (list, tuple)):
        return headers
    if headers is None:
        return ()
    for method in _ALL_ITEMS:
        if hasattr(headers, method):
            listed: Iterable[tuple[Any, Any]] = getattr(headers, method)()
            return listed
    given: Iterable[tuple[Any, Any]] = headers
    return given


def carrier_for(headers: Any) -> Carrier:
    """How to write to `headers`. Raises TypeError for what can neither be set by key nor appended to."""
    if isinstance(headers, list):
        return PairsCarrier(headers)
    if isinstance(headers, MappingCarrier | PairsCarrier):
        return headers
    if hasattr(headers, "__setitem__") and hasattr(headers, "items"):
        return MappingCarrier(headers)
    raise TypeError(f"headers: {type(headers).__name__} is neither a mutable mapping nor a list of pairs")


class MappingCarrier:
    """Headers that are set by key. Of a plain dict, a key in another case counts as the same."""

    def __init__(self, headers: Any) -> None:
        self._headers = headers

    def find(self, names: HeaderNames) -> Found:
        return find(self._headers, names)

    def add(self, name: str, value: str) -> None:
        self._headers[name] = value

    def remove(self, name: str) -> None:
        # By the pairs, since iterating gives names, pairs or an error, as each library likes.
        for key in [key for key, _ in pairs(self._headers) if _text(key).lower() == name]:
            # A first removal takes all values, or the first alone.
            while key in self._headers:
                del self._headers[key]


class PairsCarrier:
    """Headers as a list of pairs, written in the types given, else in those of its first pair, else as str."""

    def __init__(
        self, headers: list[tuple[Any, Any]], name_type: type | None = None, value_type: type | None = None
    ) -> None:
        self._headers = headers
        first = headers[0] if headers else ("", "")
        self._name, self._value = name_type or type(first[0]), value_type or type(first[1])

    def find(self, names: HeaderNames) -> Found:
        return find(self._headers, names)

    def add(self, name: str, value: str) -> None:
        self._headers.append((_typed(name, self._name), _typed(value, self._value)))

    def remove(self, name: str) -> None:
        self._headers[:] = [pair for pair in self._headers if _text(pair[0]).lower() != name]


def _typed(text: str, kind: type) -> str | bytes:
    if not issubclass(kind, bytes):
        return text
    try:
        return text.encode("latin-1")  # as `_text` read it, so that a caller's bytes come out as they went in
    except UnicodeEncodeError:
        return text.encode()


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""
