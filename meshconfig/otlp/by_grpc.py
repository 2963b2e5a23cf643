"""OTLP over gRPC: the LogsService.

Source: OpenTelemetry, "OTLP/gRPC": UNAVAILABLE asks a sender to retry, INVALID_ARGUMENT to drop what it sent.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from meshconfig.errors import GraylaneError
from meshconfig.otlp.decode import ACCEPTED, decode
from meshconfig.otlp.intake import LARGEST, Intake
from meshconfig.otlp.listen import Listen

_THREADS, _AT_ONCE = 4, 16  # calls that run, and calls that may be open; gRPC refuses others, and holds none back
_STOP = 2.0  # seconds for calls that run at the end
_SERVICE = "opentelemetry.proto.collector.logs.v1.LogsService"


@contextmanager
def serving(at: Listen, intake: Intake) -> Iterator[int]:
    """Receive while the block runs.

    Yields:
        the port, where 0 was asked for.

    Raises:
        GraylaneError: the address cannot be listened on.
    """

    def export(message: bytes, context: Any) -> bytes:
        try:
            records = decode(message)
        except ValueError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        if not intake.offer(records, len(message)):
            context.abort(grpc.StatusCode.UNAVAILABLE, "the receiver does not keep up: send it again later")
        return ACCEPTED

    # Bytes in and out: `decode` bounds what becomes of them.
    handler = grpc.unary_unary_rpc_method_handler(export)
    options = [("grpc.max_receive_message_length", LARGEST), ("grpc.so_reuseport", 0)]
    with ThreadPoolExecutor(_THREADS, "otlp-grpc") as threads:
        server = grpc.server(threads, options=options, maximum_concurrent_rpcs=_AT_ONCE)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Export": handler}),))
        try:
            bound = server.add_insecure_port(at.address)
        except RuntimeError:
            raise GraylaneError(f"cannot listen on {at}: the port is taken, or the address is not here") from None
        server.start()
        try:
            yield bound
        finally:
            server.stop(_STOP).wait()
