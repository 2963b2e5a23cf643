"""The clients of websockets, sync and async, carry the fields in the request that opens a connection."""

from collections.abc import Callable
from typing import Any

from websockets.client import ClientProtocol
from websockets.datastructures import Headers

from propagation.clients.hop import prepare
from propagation.config import PropagationConfig
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Carried, Descriptor
from propagation.trail import HEADER

DESCRIPTOR = Descriptor("websockets", sends=Carried.INSTRUMENT)
_TRAIL = "_propagation_trail"  # on a connection's protocol: a thread or task of the library's own reads the answer


def install(config: PropagationConfig | None) -> Undo:
    """Have every client of websockets carry the fields; the answer takes it back.

    The clients of `websockets.legacy` are not carried: they take `extra_headers=inject({}, url)`.
    """

    def send(original: Callable[..., Any]) -> Callable[..., Any]:
        def send_with_fields(self: ClientProtocol, request: Any) -> None:
            headers = list(request.headers.raw_items())
            with prepare(headers, (self.uri.host,), config, request.path) as trail:
                request.headers = Headers(headers)
                setattr(self, _TRAIL, trail)
                original(self, request)

        return send_with_fields

    def process(original: Callable[..., Any]) -> Callable[..., Any]:
        def process_and_collect(self: ClientProtocol, response: Any) -> None:
            if trail := vars(self).pop(_TRAIL, None):
                trail.take(response, response.headers.get_all(HEADER))
            original(self, response)

        return process_and_collect

    return undo_all([patch(ClientProtocol, "send_request", send), patch(ClientProtocol, "process_response", process)])
