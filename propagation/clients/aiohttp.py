"""A client middleware for aiohttp that carries the fields on."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp

from propagation.clients.hop import prepare, trail_for
from propagation.config import PropagationConfig
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Carried, Descriptor
from propagation.trail import HEADER


def _ask(url: str) -> None:
    async def main() -> None:
        async with aiohttp.ClientSession() as session, session.get(url):
            pass

    # By sockets of Python alone, whatever loop the process prefers: no other can be looked into.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(main())


DESCRIPTOR = Descriptor(
    "aiohttp",
    sends=Carried.INSTRUMENT,
    explicit=("propagation.clients.aiohttp.PropagatingMiddleware",),
    probe=_ask,
)


class PropagatingMiddleware:
    """For `aiohttp.ClientSession(middlewares=(…,))`: writes the fields into each request, redirect hops included.

    config: default, that of the request at hand, else that of the environment. Needs aiohttp 3.12; `instrument` works
    with older ones too.
    """

    def __init__(self, *, config: PropagationConfig | None = None) -> None:
        self._config = config

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: "aiohttp.ClientHandlerType"
    ) -> aiohttp.ClientResponse:
        # aiohttp makes a request of its own for each hop.
        with prepare(request.headers, (request.url.host,), self._config, request.url.raw_query_string) as trail:
            response = await handler(request)
        if trail is not None:
            trail.take(response.headers, response.headers.getall(HEADER, ()))
        return response


def install(config: PropagationConfig | None) -> Undo:
    """Have every session of aiohttp carry the fields; the answer takes it back."""

    def send(original: Callable[..., Any]) -> Callable[..., Any]:
        async def send_with_fields(self: aiohttp.ClientRequest, *args: Any, **kwargs: Any) -> Any:
            with prepare(self.headers, (self.url.host,), config, self.url.raw_query_string):
                return await original(self, *args, **kwargs)

        return send_with_fields

    def start(original: Callable[..., Any]) -> Callable[..., Any]:
        # `send` gives a response whose headers have not come yet; they are there after its `start`.
        async def start_and_collect(self: aiohttp.ClientResponse, *args: Any, **kwargs: Any) -> Any:
            response = await original(self, *args, **kwargs)
            if (trail := trail_for((self.url.host,), config)) is not None:
                trail.take(self.headers, self.headers.getall(HEADER, ()))
            return response

        return start_and_collect

    return undo_all([patch(aiohttp.ClientRequest, "send", send), patch(aiohttp.ClientResponse, "start", start)])
