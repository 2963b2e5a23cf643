"""Transports for httpx2 that carry the fields on."""

import httpx2

from propagation.clients import transport as shared
from propagation.config import PropagationConfig
from propagation.patching import Undo
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor(
    "httpx2",
    sends=Carried.INSTRUMENT,
    explicit=(
        "propagation.clients.httpx2.PropagatingTransport",
        "propagation.clients.httpx2.AsyncPropagatingTransport",
    ),
    probe=lambda url: shared.ask(httpx2, url),
)


class PropagatingTransport(shared.SyncSending, httpx2.BaseTransport):
    """For `httpx2.Client(transport=…)`: writes the fields into each request, redirect hops included.

    transport: what sends them (default: `httpx2.HTTPTransport()`); it stays yours to configure. config: default, that
    of the request at hand, else that of the environment.
    """

    def __init__(
        self, transport: httpx2.BaseTransport | None = None, *, config: PropagationConfig | None = None
    ) -> None:
        super().__init__(httpx2.HTTPTransport() if transport is None else transport, config)


class AsyncPropagatingTransport(shared.AsyncSending, httpx2.AsyncBaseTransport):
    """As `PropagatingTransport`, for `httpx2.AsyncClient`."""

    def __init__(
        self, transport: httpx2.AsyncBaseTransport | None = None, *, config: PropagationConfig | None = None
    ) -> None:
        super().__init__(httpx2.AsyncHTTPTransport() if transport is None else transport, config)


def install(config: PropagationConfig | None) -> Undo:
    """Have every client of httpx2 carry the fields; the answer takes it back."""
    return shared.install(httpx2, config)
