"""Transports for httpx that carry the fields on."""

import httpx

from propagation.clients import transport as shared
from propagation.config import PropagationConfig
from propagation.patching import Undo
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor(
    "httpx",
    sends=Carried.INSTRUMENT,
    explicit=(
        "propagation.clients.httpx.PropagatingTransport",
        "propagation.clients.httpx.AsyncPropagatingTransport",
    ),
    probe=lambda url: shared.ask(httpx, url),
)


class PropagatingTransport(shared.SyncSending, httpx.BaseTransport):
    """For `httpx.Client(transport=…)`: writes the fields into each request, redirect hops included.

    transport: what sends them (default: `httpx.HTTPTransport()`); it stays yours to configure. config: default, that
    of the request at hand, else that of the environment.
    """

    def __init__(
        self, transport: httpx.BaseTransport | None = None, *, config: PropagationConfig | None = None
    ) -> None:
        super().__init__(httpx.HTTPTransport() if transport is None else transport, config)


class AsyncPropagatingTransport(shared.AsyncSending, httpx.AsyncBaseTransport):
    """As `PropagatingTransport`, for `httpx.AsyncClient`."""

    def __init__(
        self, transport: httpx.AsyncBaseTransport | None = None, *, config: PropagationConfig | None = None
    ) -> None:
        super().__init__(httpx.AsyncHTTPTransport() if transport is None else transport, config)


def install(config: PropagationConfig | None) -> Undo:
    """Have every client of httpx carry the fields; the answer takes it back."""
    return shared.install(httpx, config)
