"""A service with `propagation`: python peer.py asgi|wsgi NAME VERSION PORT PEERS; PEERS is NAME=URL,…

GET /chain/a/b answers who it is, then asks a for /chain/b.
"""

import asyncio
import sys
from functools import partial

import httpx
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from demo_services import serve_asgi, serve_wsgi
from propagation import ASGIMiddleware, WSGIMiddleware, get
from propagation.clients.httpx import AsyncPropagatingTransport, PropagatingTransport


def url_of_next(peers, rest):
    """Where the rest of a path goes on; None at its end."""
    name, _, left = rest.strip("/").partition("/")
    return f"{peers[name]}/chain/{left}" if name else None


def asgi(name, version, peers):
    client = httpx.AsyncClient(transport=AsyncPropagatingTransport(httpx.AsyncHTTPTransport()), timeout=30)

    async def chain(request):
        said = [{"service": name, "env": version, "saw": get("env")}]
        await asyncio.sleep(0)  # others come between
        if url := url_of_next(peers, request.path_params.get("rest", "")):
            said += (await client.get(url)).raise_for_status().json()["chain"]
        return JSONResponse({"chain": said})

    app = Starlette(routes=[Route("/chain/", chain), Route("/chain/{rest:path}", chain)])
    app.add_middleware(ASGIMiddleware)
    return app


def wsgi(name, version, peers):
    client = httpx.Client(transport=PropagatingTransport(httpx.HTTPTransport()), timeout=30)
    app = Flask(__name__)

    @app.get("/chain/")
    @app.get("/chain/<path:rest>")
    def chain(rest=""):
        said = [{"service": name, "env": version, "saw": get("env")}]
        if url := url_of_next(peers, rest):
            said += client.get(url).raise_for_status().json()["chain"]
        return {"chain": said}

    return WSGIMiddleware(app)


if __name__ == "__main__":
    kind, name, version, port, peers = sys.argv[1:]
    others = dict(pair.split("=", 1) for pair in peers.split(","))
    if kind == "asgi":
        serve_asgi.serve(asgi(name, version, others), "127.0.0.1", int(port))
    else:
        serve_wsgi.serve(partial(wsgi, name, version, others), "127.0.0.1", int(port))
