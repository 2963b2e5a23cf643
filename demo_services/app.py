"""The service as an ASGI app. Two lines carry the tag: the client's transport and the middleware."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from demo_services.hop import LIMITS, RETRIES, Hop, Service, read, unreachable
from propagation import ASGIMiddleware
from propagation.clients.httpx import AsyncPropagatingTransport


def create_app(service: Service) -> Starlette:
    """`service` as a Starlette app with /sayHello and /healthz."""
    transport = AsyncPropagatingTransport(httpx.AsyncHTTPTransport(limits=LIMITS, retries=RETRIES))
    client = httpx.AsyncClient(transport=transport, timeout=service.timeout)

    async def ask(url: str) -> list[Hop]:
        try:
            return read(url, await client.get(url))
        except httpx.HTTPError as error:
            return unreachable(url, error)

    async def say_hello(request: Request) -> JSONResponse:
        await asyncio.sleep(service.delay)
        if service.fails():
            return JSONResponse({"error": "failed, as --fail-rate asks"}, status_code=500)
        chain = [service.hop()]
        for url in service.urls:
            chain += await ask(url)
        return JSONResponse({"chain": chain})

    async def healthz(request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    app = Starlette(routes=[Route("/sayHello", say_hello), Route("/healthz", healthz)], lifespan=lifespan)
    app.add_middleware(ASGIMiddleware)
    return app
