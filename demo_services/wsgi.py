"""The same service as a WSGI app. Two lines carry the tag: the client's transport and the middleware."""

import time
from typing import Any
from wsgiref.types import WSGIApplication

import httpx
from flask import Flask

from demo_services.hop import LIMITS, RETRIES, Hop, Service, read, unreachable
from propagation import WSGIMiddleware
from propagation.clients.httpx import PropagatingTransport


def create_app(service: Service) -> WSGIApplication:
    """`service` as a Flask app with /sayHello and /healthz."""
    transport = PropagatingTransport(httpx.HTTPTransport(limits=LIMITS, retries=RETRIES))
    client = httpx.Client(transport=transport, timeout=service.timeout)

    def ask(url: str) -> list[Hop]:
        try:
            return read(url, client.get(url))
        except httpx.HTTPError as error:
            return unreachable(url, error)

    app = Flask(__name__)

    @app.get("/sayHello")
    def say_hello() -> tuple[dict[str, Any], int]:
        time.sleep(service.delay)
        if service.fails():
            return {"error": "failed, as --fail-rate asks"}, 500
        chain = [service.hop()]
        for url in service.urls:
            chain += ask(url)
        return {"chain": chain}, 200

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    return WSGIMiddleware(app)
