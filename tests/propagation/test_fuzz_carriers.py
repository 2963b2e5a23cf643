"""Headers in any shape that a library keeps them, with anything in them: read alike, and the tag goes out whole."""

from collections.abc import Callable
from email.message import Message
from types import SimpleNamespace
from typing import Any
from wsgiref.headers import Headers as WsgiHeaders

from fuzzing import fuzz, several, text
from httpx import Headers as HttpxHeaders
from multidict import CIMultiDict
from opentelemetry.context import Context
from requests.structures import CaseInsensitiveDict
from starlette.datastructures import Headers, MutableHeaders
from werkzeug.datastructures import Headers as WerkzeugHeaders

from propagation import PropagationConfig, extract, get, inject
from propagation.carriers import find
from propagation.carriers import pairs as pairs_of
from propagation.fields import HeaderNames
from propagation.inject import has_fields
from propagation.messaging import consumed

BOTH = ("env", "team")
CONFIG = PropagationConfig(remote_fields=BOTH, key_names={"env": ("env", "x-env")})
LISTED = PropagationConfig(remote_fields=BOTH, allowed_values={"env": {"gray", "prod"}})
DECLARED = PropagationConfig(remote_fields=BOTH, baggage="declared")
NAMES = ("env", "Env", "x-env", "baggage", "Baggage", "team", "cookie", "x-a")
READ = HeaderNames(map(str.lower, NAMES))
VALUES = (
    "gray", "prod", "gray.next", "", "blue", "a b", "x" * 65, "gray,gray", "env=gray",
    "env=prod,team=a", "env=gr%61y;p=1",
    "a=b", "env=", "env=%ff", ",", "env=gray,env=blue", "team=red , env=gray", "\u00e9", "env=gray\u00e9",
)  # fmt: skip
LETTERS = [chr(code) for code in (*range(0x20, 0x7F), 0x80, 0xE9, 0xFF)]
ODD = (
    None,
    7,
    1.5,
    True,
    b"\xff\xfe",
    b"gray",
    (),
    [],
    ["gray", b"gray"],
    [None],
    {"env": "gray"},
    object(),
    "gray",
    "\udcff",
)


def pair(rng):
    value = rng.choice(VALUES) if rng.random() < 0.8 else text(rng, LETTERS, 12)
    return rng.choice(NAMES), value


def pairs(rng):
    return several(rng, pair, 5)


def once(given):
    """One value for each name, as a mapping has it."""
    return list({name.lower(): (name, value) for name, value in given}.values())


def message(given):
    made = Message()
    for name, value in given:
        made[name] = value
    return made


def encoded(given):
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in given]


def httpx_headers(given):
    return HttpxHeaders(encoded(given))


def mutable_headers(given):
    return MutableHeaders(headers=dict(given))  # Starlette's `raw` takes names in lower case only


MAPPINGS: tuple[Callable[..., Any], ...] = (dict, CaseInsensitiveDict, CIMultiDict, mutable_headers, httpx_headers)
SHAPES: dict[str, Callable[..., Any]] = {
    "pairs": list,
    "a tuple": tuple,
    "bytes": encoded,
    "httpx": httpx_headers,
    "multidict": CIMultiDict,
    "starlette": lambda given: Headers(raw=encoded(given)),
    "werkzeug": WerkzeugHeaders,
    "wsgiref": lambda given: WsgiHeaders(list(given)),
}


def latin(given):
    """What can stand in a header at all."""
    return [(name, value.encode("latin-1", "replace").decode("latin-1")) for name, value in given]


def tags(headers, config):
    context = extract(headers, config=config, context=Context())
    return {name: get(name, context) for name in ("env", "team")}


@fuzz
def test_fuzz_headers_are_read_alike_in_every_shape(rng):
    given, config = latin(pairs(rng)), rng.choice((CONFIG, LISTED, DECLARED))
    expected = tags(given, config)
    assert {name: tags(make(given), config) for name, make in SHAPES.items()} == dict.fromkeys(SHAPES, expected)


@fuzz
def test_fuzz_whatever_stands_in_headers_is_a_good_tag_or_none(rng):
    odd: list[tuple[Any, Any]] = [
        (rng.choice((*NAMES, *ODD)), rng.choice((*VALUES, *ODD))) for _ in range(rng.randint(0, 5))
    ]
    config = rng.choice((CONFIG, LISTED, DECLARED))
    for shape in (odd, tuple(odd), {name: value for name, value in odd if isinstance(name, str | bytes | int)}):
        for value in tags(shape, config).values():
            assert value is None or (value.isascii() and value.isprintable() and 0 < len(value) <= 64)
        with consumed(SimpleNamespace(headers=shape), config=config) as context:
            assert get("env", context) in (None, *("gray", "prod", "blue"), *tags(shape, config).values())


def read_by_header_alone(headers, config):
    return tags([pair for pair in headers if pair[0].lower() != "baggage"], config)


def read_by_baggage_alone(headers, config):
    return tags([pair for pair in headers if pair[0].lower() == "baggage"], config)


@fuzz
def test_fuzz_no_half_of_a_tag_goes_out(rng):
    """Who reads the header and who reads the baggage read one and the same tag, whatever the caller wrote beside it.

    Of a request that brought nothing, nothing is written, and what the caller wrote by itself is the caller's affair.
    """
    config = rng.choice((CONFIG, DECLARED))
    context = extract([("env", "gray"), *latin(pairs(rng))], config=config, context=Context())
    own = latin(once(pairs(rng)))
    make: Callable[..., Any] = rng.choice((list, *MAPPINGS, message))
    written = inject(make(own), context=context, config=config)
    sent = [(name, value) for name, values in find(written, READ).items() for value in values]
    if has_fields(context, config):
        assert read_by_header_alone(sent, config) == read_by_baggage_alone(sent, config), sent
    before = [*pairs_of(written)]
    assert [*pairs_of(inject(written, context=context, config=config))] == before
