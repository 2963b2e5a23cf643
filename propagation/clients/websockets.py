"""The clients of websockets, sync and async, carry the fields in the request that opens a connection."""

from collections.abc import Callable
from typing import Any

from websockets.client import ClientProtocol
from websockets.datastructures import Headers

from propagation.clients.hop import prepare
from propagation.config import PropagationConfig
from propagation.patching import Undo, patch
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor("websockets", sends=Carried.INSTRUMENT)


def install(config: PropagationConfig | None) -> Undo:
    """Have every client of websockets carry the fields; the answer takes it back.

    The clients of `websockets.legacy` are not carried: they take `extra_headers=inject({}, url)`.
    """

    def send(original: Callable[..., Any]) -> Callable[..., Any]:
        def send_with_fields(self: ClientProtocol, request: Any) -> None:
            headers = list(request.headers.raw_items())
            with prepare(headers, (self.uri.host,), config, request.path):
                request.headers = Headers(headers)
                original(self, request)

        return send_with_fields

    return patch(ClientProtocol, "send_request", send)
