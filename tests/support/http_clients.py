"""One adapter for each HTTP client: how it sends, given what the suite in tests/conformance asks of all of them.

An adapter sends one request by a fresh client and follows its redirects: `send(url, headers, body, config, again)`.
The client carries the fields by a transport (or the library's like) made with `config`, or, for those that are
instrumented, by `instrument(name, config=config)`, which the suite takes back. `again`: what is answered by 503 is
tried once more, as the library does it. `is_patched()`: whether a library's method is not its own.
A new client is a class here and a line or two in ADAPTERS: "name" and "name instrumented".
"""

import asyncio
import http.client
import urllib.error
import urllib.request
from typing import Any

import aiohttp
import httplib2
import httpx
import httpx2
import requests
import urllib3
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from urllib3.util import Retry

from propagation import instrument
from propagation.clients.aiohttp import PropagatingMiddleware
from propagation.clients.httpx import AsyncPropagatingTransport, PropagatingTransport
from propagation.clients.httpx2 import AsyncPropagatingTransport as AsyncPropagatingTransport2
from propagation.clients.httpx2 import PropagatingTransport as PropagatingTransport2
from propagation.clients.requests import PropagatingAdapter
from propagation.clients.urllib3 import PropagatingPoolManager

try:
    import niquests
except ImportError:
    niquests = None


class Httpx:
    """httpx or httpx2, by a transport of ours, or instrumented."""

    def __init__(self, library, transport=None):
        self.library, self.transport = library, transport

    def options(self, config):
        # Without `verify=False` each client reads a file of certificates, which is most of what these tests would do.
        if self.transport is not None:
            return {"transport": self.transport(self.library.HTTPTransport(verify=False), config=config)}
        instrument(self.library.__name__, config=config)
        return {"verify": False}

    def is_patched(self):
        return hasattr(self.library.HTTPTransport.handle_request, "__wrapped__")

    def send(self, url, headers=None, body=None, config=None, again=False):
        with self.library.Client(follow_redirects=True, **self.options(config)) as client:
            request = client.build_request("POST" if body else "GET", url, headers=headers, content=body)
            response = client.send(request)
            if again and response.status_code == 503:
                client.send(request)


class AsyncHttpx(Httpx):
    def options(self, config):
        if self.transport is not None:
            return {"transport": self.transport(self.library.AsyncHTTPTransport(verify=False), config=config)}
        return super().options(config)

    def is_patched(self):
        return hasattr(self.library.AsyncHTTPTransport.handle_async_request, "__wrapped__")

    def send(self, *args, **kwargs):
        asyncio.run(self.main(*args, **kwargs))

    async def main(self, url, headers=None, body=None, config=None, again=False):
        async with self.library.AsyncClient(follow_redirects=True, **self.options(config)) as client:
            request = client.build_request("POST" if body else "GET", url, headers=headers, content=body)
            response = await client.send(request)
            if again and response.status_code == 503:
                await client.send(request)


class Requests:
    def __init__(self, adapter=None):
        self.adapter = adapter

    def is_patched(self):
        return hasattr(requests.adapters.HTTPAdapter.send, "__wrapped__")

    def send(self, url, headers=None, body=None, config=None, again=False):
        options: Any = {"max_retries": Retry(1, status_forcelist=[503])} if again else {}
        with requests.Session() as session:
            session.trust_env = False
            if self.adapter is not None:
                session.mount("http://", self.adapter(config=config, **options))
            else:
                instrument("requests", config=config)
                session.mount("http://", requests.adapters.HTTPAdapter(**options))
            session.request("POST" if body else "GET", url, headers=headers, data=body)


class Urllib3:
    def __init__(self, manager=None):
        self.manager = manager

    def is_patched(self):
        return hasattr(urllib3.HTTPConnectionPool.urlopen, "__wrapped__")

    def pools(self, config):
        if self.manager is not None:
            return self.manager(config=config)
        instrument("urllib3", config=config)
        return urllib3.PoolManager()

    def send(self, url, headers=None, body=None, config=None, again=False):
        retries = Retry(5, status_forcelist=[503] if again else [])
        with self.pools(config) as pools:
            pools.request("POST" if body else "GET", url, headers=headers, body=body, retries=retries)


class Aiohttp:
    def __init__(self, middleware=None):
        self.middleware = middleware

    def is_patched(self):
        return hasattr(aiohttp.ClientRequest.send, "__wrapped__")

    def session(self, config):
        if self.middleware is not None:
            return aiohttp.ClientSession(middlewares=(try_again, self.middleware(config=config)))
        instrument("aiohttp", config=config)
        return aiohttp.ClientSession(middlewares=(try_again,))

    def send(self, *args, **kwargs):
        asyncio.run(self.main(*args, **kwargs))

    async def main(self, url, headers=None, body=None, config=None, again=False):
        async with (
            self.session(config) as session,
            session.request("POST" if body else "GET", url, headers=headers, data=body),
        ):
            pass


class UrllibRequest:
    """urllib.request, which is built on http.client."""

    def is_patched(self):
        return hasattr(http.client.HTTPConnection.endheaders, "__wrapped__")

    def send(self, url, headers=None, body=None, config=None, again=False):
        instrument("http_client", config=config)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(url, body, headers or {})
        try:
            opener.open(request).close()
        except urllib.error.HTTPError as error:
            error.close()
            if not again or error.code != 503:
                raise
            opener.open(request).close()


class Httplib2(UrllibRequest):
    def send(self, url, headers=None, body=None, config=None, again=False):
        instrument("http_client", config=config)
        client = httplib2.Http(proxy_info=None)
        try:
            answer, _ = client.request(url, "POST" if body else "GET", body, headers)
            if again and answer.status == 503:
                client.request(url, "POST" if body else "GET", body, headers)
        finally:
            client.close()


class Tornado:
    def __init__(self, implementation):
        self.implementation = implementation

    def is_patched(self):
        return hasattr(AsyncHTTPClient.fetch, "__wrapped__")

    def send(self, *args, **kwargs):
        asyncio.run(self.main(*args, **kwargs))

    async def main(self, url, headers=None, body=None, config=None, again=False):
        instrument("tornado", config=config)
        client = self.implementation(force_instance=True)
        request = HTTPRequest(url, "POST" if body else "GET", headers, body)
        try:
            response = await client.fetch(request, raise_error=not again)
            if again and response.code == 503:
                await client.fetch(request)
        finally:
            client.close()


class Niquests:
    def is_patched(self):
        from niquests.packages import urllib3

        return hasattr(urllib3.HTTPConnectionPool.urlopen, "__wrapped__")

    def send(self, url, headers=None, body=None, config=None, again=False):
        instrument("niquests", config=config)
        with niquests.Session() as session:
            session.trust_env = False
            response = session.request("POST" if body else "GET", url, headers=headers, data=body)
            if again and response.status_code == 503:
                session.send(response.request)


class AsyncNiquests(Niquests):
    def send(self, *args, **kwargs):
        asyncio.run(self.main(*args, **kwargs))

    async def main(self, url, headers=None, body=None, config=None, again=False):
        instrument("niquests", config=config)
        async with niquests.AsyncSession() as session:
            session.trust_env = False
            response = await session.request("POST" if body else "GET", url, headers=headers, data=body)
            if again and response.status_code == 503:
                await session.request("GET", url, headers=headers)


async def try_again(request, handler):
    """aiohttp's way to retry: a middleware that sends the same request once more."""
    response = await handler(request)
    if response.status != 503:
        return response
    response.release()
    return await handler(request)


ADAPTERS: dict[str, Any] = {
    "httpx": Httpx(httpx, PropagatingTransport),
    "httpx async": AsyncHttpx(httpx, AsyncPropagatingTransport),
    "httpx instrumented": Httpx(httpx),
    "httpx async instrumented": AsyncHttpx(httpx),
    "httpx2": Httpx(httpx2, PropagatingTransport2),
    "httpx2 async": AsyncHttpx(httpx2, AsyncPropagatingTransport2),
    "httpx2 instrumented": Httpx(httpx2),
    "httpx2 async instrumented": AsyncHttpx(httpx2),
    "requests": Requests(PropagatingAdapter),
    "requests instrumented": Requests(),
    "urllib3": Urllib3(PropagatingPoolManager),
    "urllib3 instrumented": Urllib3(),
    "aiohttp": Aiohttp(PropagatingMiddleware),
    "aiohttp instrumented": Aiohttp(),
    "urllib.request instrumented": UrllibRequest(),
    "httplib2 instrumented": Httplib2(),
    "tornado instrumented": Tornado(SimpleAsyncHTTPClient),
}
# niquests comes with a fork of urllib3 that takes urllib3's place in an environment, so it is in none of our extras.
if niquests is not None:
    ADAPTERS |= {"niquests instrumented": Niquests(), "niquests async instrumented": AsyncNiquests()}
