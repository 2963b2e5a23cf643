"""Headers as each library keeps them: read, written and taken out alike, whatever iterating them gives."""

import email.message
import wsgiref.headers
from types import MappingProxyType

import grpc
import httpx
import httpx2
import pytest
import requests.structures
import starlette.datastructures
import urllib3
import websockets.datastructures
import werkzeug.datastructures
from multidict import CIMultiDict
from opentelemetry.context import Context

from propagation import PropagationConfig, extract, get, inject, use

ELSEWHERE = PropagationConfig(allowed_hosts=("mouse-svc",))
STRANGER = "http://stranger/"


def message(pairs):
    made = email.message.Message()
    for name, value in pairs:
        made[name] = value
    return made


def http_headers(pairs):
    made = urllib3.HTTPHeaderDict()
    for name, value in pairs:
        made.add(name, value)
    return made


def socket_headers(pairs):
    made = websockets.datastructures.Headers()
    for name, value in pairs:
        made[name] = value
    return made


# How to make each of pairs. Those of SINGLE cannot have a header twice.
SINGLE = {
    "dict": dict,
    "requests": requests.structures.CaseInsensitiveDict,
}
SEVERAL = {
    "pairs": list,
    "pairs of bytes": lambda pairs: [(name.encode(), value.encode()) for name, value in pairs],
    "httpx": httpx.Headers,
    "httpx2": httpx2.Headers,
    "starlette": lambda pairs: starlette.datastructures.MutableHeaders(
        raw=[(name.lower().encode(), value.encode()) for name, value in pairs]
    ),
    "werkzeug": werkzeug.datastructures.Headers,
    "wsgiref": wsgiref.headers.Headers,
    "websockets": socket_headers,
    "grpc.aio": lambda pairs: grpc.aio.Metadata(*((name.lower(), value) for name, value in pairs)),
    "email": message,
    "aiohttp": CIMultiDict,
    "urllib3": http_headers,
}
READ_ONLY = {
    "None": lambda pairs: None,
    "tuple": tuple,
    "iterator": iter,
    "proxy": lambda pairs: MappingProxyType(dict(pairs)),
    "metadata": lambda pairs: tuple((name.lower(), value) for name, value in pairs),
    "environ": lambda pairs: werkzeug.datastructures.EnvironHeaders(
        {"HTTP_" + name.upper().replace("-", "_"): value for name, value in pairs}
    ),
}
WRITABLE = SINGLE | SEVERAL


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def contents(headers):
    """What is there, as pairs of text with names in lower case."""
    for method in ("multi_items", "raw_items", "items"):
        if hasattr(headers, method):
            headers = getattr(headers, method)()
            break
    listed = [(name, value if isinstance(value, list) else [value]) for name, value in headers]
    return sorted((text(name).lower(), text(value)) for name, values in listed for value in values)


@pytest.mark.parametrize("make", (WRITABLE | READ_ONLY).values(), ids=WRITABLE | READ_ONLY)
def test_reading(make):
    assert get("env", extract(make([("Accept", "1"), ("Env", "gray")]))) == ("gray" if make([("a", "b")]) else None)
    assert get("env", extract(make([("Baggage", "a=1,env=gray")]))) == ("gray" if make([("a", "b")]) else None)
    assert extract(make([("Accept", "1")]), context=Context()) == {}


@pytest.mark.parametrize("make", SEVERAL.values(), ids=SEVERAL)
def test_reading_what_came_twice(make):
    others = [("X-Forwarded-For", "1"), ("X-Forwarded-For", "2")]
    assert get("env", extract(make([*others, ("Env", "gray"), ("Env", "gray")]))) == "gray"
    assert get("env", extract(make([*others, ("Env", "gray"), ("Env", "prod")]))) is None
    assert get("env", extract(make([*others, ("Baggage", "a=1"), ("Baggage", "env=gray")]))) == "gray"


@pytest.mark.parametrize("make", WRITABLE.values(), ids=WRITABLE)
def test_writing(make):
    headers = make([("Accept", "1")])
    with use(extract({"env": "gray", "baggage": "user=alice"}, context=Context())):
        assert inject(headers) is headers
        written = contents(headers)
        assert written == [("accept", "1"), ("baggage", "env=gray,user=alice"), ("env", "gray")]
        assert contents(inject(headers)) == written


@pytest.mark.parametrize("make", SEVERAL.values(), ids=SEVERAL)
def test_writing_beside_what_came_twice(make):
    headers = make([("X-Forwarded-For", "1"), ("X-Forwarded-For", "2"), ("Baggage", "a=1"), ("Baggage", "b=2")])
    with use(env="gray"):
        inject(headers)
    assert contents(headers) == [
        ("baggage", "env=gray,a=1,b=2"),
        ("env", "gray"),
        ("x-forwarded-for", "1"),
        ("x-forwarded-for", "2"),
    ]


@pytest.mark.parametrize("make", WRITABLE.values(), ids=WRITABLE)
def test_taking_out(make):
    headers = make([("Env", "gray"), ("Accept", "1"), ("Baggage", "own=1,env=gray")])
    with use(env="gray"):
        inject(headers, STRANGER, config=ELSEWHERE)
    assert contents(headers) == [("accept", "1"), ("baggage", "own=1")]


@pytest.mark.parametrize("make", SEVERAL.values(), ids=SEVERAL)
def test_taking_out_what_came_twice(make):
    headers = make([("Env", "gray"), ("Accept", "1"), ("Env", "prod"), ("Accept", "2")])
    inject(headers, STRANGER, config=ELSEWHERE)
    assert contents(headers) == [("accept", "1"), ("accept", "2")]


@pytest.mark.parametrize("headers", [{1: "gray", "env": "gray"}, [(None, "x"), ("env", "gray")], [(b"env", "gray")]])
def test_names_that_are_no_text_are_passed_over(headers):
    assert get("env", extract(headers)) == "gray"


@pytest.mark.parametrize("value", [None, 7, ["gray", "prod"], object()])
def test_values_that_are_no_text_are_no_tag(value):
    assert get("env", extract({"env": value})) is None
