"""A Pod for the cluster tests that speaks gRPC, without protobuf: says who it is, what it was asked and which metadata
came, and asks the next service by the same name of a method, with the tag carried by propagation's interceptors.

    python tests/cluster/grpc_backend.py --port 9001 --name cat --env gray --next mouse-svc.NAMESPACE:9001

`/pets.Cat/Say` is answered with `{"service", "version", "method", "tag", "next"}`; `next` is mouse's answer to
`/pets.Mouse/Say`, or `{"code"}` where there is none.
"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from propagation.clients.grpc import PropagatingInterceptor
from propagation.servers.grpc import PropagatingServerInterceptor

NAMES = {"cat-svc": "pets.Cat", "mouse-svc": "pets.Mouse"}


class Pets(grpc.GenericRpcHandler):
    """Answers every unary method."""

    def __init__(self, name: str, version: str, following: str) -> None:
        self._name, self._version, self._next = name, version, following
        target = f"dns:///{following}"
        channel = grpc.insecure_channel(target) if following else None
        self._channel = grpc.intercept_channel(channel, PropagatingInterceptor(following)) if channel else None

    def service(self, details: Any) -> Any:
        def answer(request: bytes, context: Any) -> bytes:
            tag = [value for key, value in context.invocation_metadata() if key == "env"]
            said = {"service": self._name, "version": self._version, "method": details.method, "tag": tag}
            return json.dumps({**said, "next": self._ask(details.method.rpartition("/")[2])}).encode()

        return grpc.unary_unary_rpc_method_handler(answer)

    def _ask(self, method: str) -> Any:
        if self._channel is None:
            return None
        service = NAMES[self._next.partition(".")[0]]
        try:
            return json.loads(self._channel.unary_unary(f"/{service}/{method}")(b"", timeout=5))
        except grpc.RpcError as error:
            return {"code": error.code().name}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--env", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--next", default="")
    given = parser.parse_args()
    handlers = (Pets(given.name, given.env, given.next),)
    server = grpc.server(ThreadPoolExecutor(16), handlers=handlers, interceptors=(PropagatingServerInterceptor(),))
    assert server.add_insecure_port(f"0.0.0.0:{given.port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
