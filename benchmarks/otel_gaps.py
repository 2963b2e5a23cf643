"""Where stock OpenTelemetry loses, leaks or changes what travels with a request, and where this package does.

    python benchmarks/otel_gaps.py

Each case sends one request through a server's middleware into an app that calls on by httpx, once with OpenTelemetry's
own ASGI and httpx instrumentation and its default propagators, once with ours. Stock OpenTelemetry knows no plain `env`
header, so each request brings the tag as a member of `baggage` too. Ends with 1 where ours fails a case.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import httpx
from opentelemetry import baggage, trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.httpx import AsyncOpenTelemetryTransport
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import TracerProvider

from propagation import ASGIMiddleware, PropagationConfig, get
from propagation.clients.httpx import AsyncPropagatingTransport

Headers = Sequence[tuple[str, Any]]  # values as text or as bytes
HERE = "http://mouse-svc/"
STRANGER = "http://example.com/"
CONFIG = PropagationConfig(allowed_values={"env": {"gray", "prod"}}, allowed_hosts=("mouse-svc",))


class Outcome(NamedTuple):
    """The tag that the app saw, the status that its caller got, and the headers of each request that went out."""

    tag: object
    status: int
    sent: list[dict[str, list[str]]]

    def members(self, hop: int = 0) -> list[str]:
        return [part for value in self.sent[hop].get("baggage", []) for part in value.split(",")]

    def values(self, hop: int = 0) -> set[str]:
        """Every value of the tag that this hop could read."""
        return {*self.sent[hop].get("env", ())} | {one[4:] for one in self.members(hop) if one.startswith("env=")}


class Stack(NamedTuple):
    """One way of carrying: `server` wraps an app, `client` a transport, `read` gives the tag in the app."""

    server: Callable[..., Any]
    client: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]
    read: Callable[[], object]


def opentelemetry() -> Stack:
    sdk: Any = {"tracer_provider": TracerProvider(), "meter_provider": NoOpMeterProvider()}
    return Stack(
        lambda app, **options: OpenTelemetryMiddleware(app, **sdk, **options),
        lambda transport: AsyncOpenTelemetryTransport(transport, **sdk),
        lambda: baggage.get_baggage("env"),
    )


def ours() -> Stack:
    """Ours: on the server inside OpenTelemetry's own, as in a service that has both; as a client alone."""
    theirs = opentelemetry()
    return Stack(
        lambda app, **options: theirs.server(ASGIMiddleware(app, CONFIG), **options),
        AsyncPropagatingTransport,
        lambda: get("env"),
    )


def through(
    stack: Stack, came: Headers, url: str = HERE, own: Headers = (), span: bool = False, **options: Any
) -> Outcome:
    """A request with the headers `came`, whose app calls `url` with headers of its own."""
    return asyncio.run(_through(stack, came, url, own, span, options))


async def _through(stack: Stack, came: Headers, url: str, own: Headers, span: bool, options: dict[str, Any]) -> Outcome:
    seen: list[Any] = []
    sent: list[dict[str, list[str]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append({name: request.headers.get_list(name) for name in request.headers})
        target = request.url.params.get("to")
        return httpx.Response(302, headers={"location": target}) if target else httpx.Response(200)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(stack.read())
        transport = stack.client(httpx.MockTransport(answer))
        async with httpx.AsyncClient(transport=transport, follow_redirects=True) as client:
            await client.get(url, headers=[*own])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    server = httpx.ASGITransport(stack.server(app, **options), raise_app_exceptions=False)
    around = trace.get_tracer("around", tracer_provider=TracerProvider()).start_as_current_span("around")
    with around if span else nullcontext():
        async with httpx.AsyncClient(transport=server, base_url="http://cat-svc") as client:
            response = await client.get("/sayHello", headers=[*came])
    return Outcome(seen[0] if seen else None, response.status_code, sent)


GRAY: Headers = [("env", "gray"), ("baggage", "env=gray")]
FOREIGN = "user=alice;ttl=5"


def hostile(value: str | bytes) -> Callable[[Stack], bool]:
    """Untagged, answered all the same, and nothing of it sent on."""

    def run(stack: Stack) -> bool:
        member = b"env=" + (value if isinstance(value, bytes) else value.encode())
        found = through(stack, [("env", value), ("baggage", member)])
        return found.tag is None and found.status == 200 and not found.values()

    return run


class Case(NamedTuple):
    """item: of the issue. what: must hold. run: whether it does, of a stack made with `environ` set."""

    item: int
    what: str
    run: Callable[[Stack], bool]
    environ: tuple[tuple[str, str], ...] = ()


def case_list() -> list[Case]:
    many = ",".join(f"key{number}=value" for number in range(200))
    return [
        Case(5, "a host that is not allowed gets no tag", lambda s: not through(s, GRAY, STRANGER).values()),
        Case(5, "nor after a redirect", lambda s: not through(s, GRAY, f"{HERE}?to={STRANGER}").values(1)),
        Case(
            5,
            "the caller's own env header wins, and nothing contradicts it",
            lambda s: through(s, GRAY, own=[("env", "prod")]).values() == {"prod"},
        ),
        Case(
            5,
            "the caller's own baggage is kept",
            lambda s: {"own=1;p=2", "env=gray"} <= {*through(s, GRAY, own=[("baggage", "own=1;p=2")]).members()},
        ),
        *(
            Case(5, f"the foreign member {raw} keeps its bytes", partial(passes, raw=raw))
            for raw in (FOREIGN, "a=b+c", "d=%7E", 'e="f"', "g==")
        ),
        Case(
            6,
            "the second baggage header is read",
            lambda s: tag(s, ("baggage", "a=1"), ("baggage", "env=gray")) == "gray",
        ),
        Case(6, "two different values are no tag", lambda s: tag(s, ("baggage", "env=gray,env=prod")) is None),
        Case(6, "the plain header decides before baggage", lambda s: tag(s, ("env", "prod"), *GRAY[1:]) == "prod"),
        Case(6, "a property is no part of the tag", lambda s: tag(s, ("baggage", "env=gray;ttl=5")) == "gray"),
        Case(
            6, "200 members leave the tag alone", lambda s: tag(s, GRAY[0], ("baggage", f"{many},env=gray")) == "gray"
        ),
        Case(
            6,
            "9 kB of baggage leave it alone",
            lambda s: tag(s, GRAY[0], ("baggage", f"a={'x' * 9000},env=gray")) == "gray",
        ),
        Case(
            6,
            "our member is written first",
            lambda s: through(s, [("baggage", "a=1,env=gray")]).members()[0] == "env=gray",
        ),
        Case(
            7, "gray.next reads as gray", lambda s: tag(s, ("env", "gray.next"), ("baggage", "env=gray.next")) == "gray"
        ),
        *(
            Case(7, f"{name} is no tag, never a 500, and goes no further", hostile(value))
            for name, value in (
                ("an unlisted value", "blue"),
                ("an empty value", ""),
                ("CR LF", "gray%0D%0Ax:y"),
                ("NUL", "gray%00"),
                ("what is not UTF-8", "%ff"),
                ("1 MB", "x" * 2**20),
            )
        ),
        Case(8, "without traceparent", lambda s: through(s, GRAY).values() == {"gray"}),
        Case(8, "inside an active span", lambda s: through(s, GRAY, span=True).values() == {"gray"}),
        Case(
            8,
            "a URL that the server excludes",
            lambda s: through(s, GRAY, excluded_urls="sayHello").values() == {"gray"},
        ),
        Case(
            8,
            "a URL that the client excludes",
            lambda s: through(s, GRAY).values() == {"gray"},
            (("OTEL_PYTHON_HTTPX_EXCLUDED_URLS", "mouse-svc"),),
        ),
        Case(8, "the SDK disabled", lambda s: through(s, GRAY).values() == {"gray"}, (("OTEL_SDK_DISABLED", "true"),)),
    ]


def tag(stack: Stack, *came: tuple[str, str | bytes]) -> object:
    return through(stack, came).tag


def passes(stack: Stack, raw: str) -> bool:
    return raw in through(stack, [("env", "gray"), ("baggage", f"{raw},env=gray")]).members()


def holds(case: Case, make: Callable[[], Stack]) -> bool:
    os.environ.update(case.environ)
    try:
        return case.run(make())
    finally:
        for name, _ in case.environ:
            del os.environ[name]


def main() -> int:
    logging.disable(logging.WARNING)
    cases = case_list()
    print(f"{'item':6}{'what must hold':68}{'opentelemetry':>15}{'graylane':>10}")
    totals = [0, 0]
    for case in cases:
        found = [holds(case, opentelemetry), holds(case, ours)]
        totals = [total + one for total, one in zip(totals, found, strict=True)]
        theirs, own = ("yes" if one else "no" for one in found)
        print(f"{case.item:<6}{case.what:68}{theirs:>15}{own:>10}")
    print(f"\n{'':6}{f'of {len(cases)} hold':68}{totals[0]:>15}{totals[1]:>10}")
    return 0 if totals[1] == len(cases) else 1


if __name__ == "__main__":
    sys.exit(main())
