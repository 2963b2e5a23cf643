"""One adapter for each HTTP client: how it sends, given what the suite in tests/conformance asks of all of them.

An adapter sends one request by a fresh client and follows its redirects: `send(url, headers, body, config, again)`.
The client carries the fields by a transport (or the library's like) made with `config`, or, for those that are
instrumented, by `instrument(name, config=config)`, which the suite takes back. `again`: what is answered by 503 is
tried once more, as the library does it. `is_patched()`: whether a library's method is not its own.
A new client is a class here and a line or two in ADAPTERS: "name" and "name instrumented".
"""

import asyncio

import httpx
import httpx2

from propagation import instrument
from propagation.clients.httpx import AsyncPropagatingTransport, PropagatingTransport
from propagation.clients.httpx2 import AsyncPropagatingTransport as AsyncPropagatingTransport2
from propagation.clients.httpx2 import PropagatingTransport as PropagatingTransport2


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


ADAPTERS = {
    "httpx": Httpx(httpx, PropagatingTransport),
    "httpx async": AsyncHttpx(httpx, AsyncPropagatingTransport),
    "httpx instrumented": Httpx(httpx),
    "httpx async instrumented": AsyncHttpx(httpx),
    "httpx2": Httpx(httpx2, PropagatingTransport2),
    "httpx2 async": AsyncHttpx(httpx2, AsyncPropagatingTransport2),
    "httpx2 instrumented": Httpx(httpx2),
    "httpx2 async instrumented": AsyncHttpx(httpx2),
}
