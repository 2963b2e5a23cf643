"""Addresses to receive OTLP at: `127.0.0.1:4317` and `grpc://…` for gRPC, `http://…` for HTTP with protobuf."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from meshconfig.otlp.intake import Intake

_PORTS = {"grpc": 4317, "http": 4318}  # OTLP's own


class Listen(NamedTuple):
    """One address."""

    scheme: Literal["grpc", "http"]
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.address}"

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Listen":
        """Reads an address; without a port it has OTLP's.

        Raises:
            ValueError: it is of another form.
        """
        wrong = ValueError(f"takes HOST:PORT, grpc://HOST:PORT or http://HOST:PORT, not {text!r}")
        try:
            parts = urlsplit(text if "://" in text else f"grpc://{text}")
            port = parts.port
        except ValueError:
            raise wrong from None
        if parts.scheme not in ("grpc", "http") or not parts.hostname or parts.path.strip("/") or "@" in parts.netloc:
            raise wrong
        scheme: Literal["grpc", "http"] = "http" if parts.scheme == "http" else "grpc"
        return cls(scheme, parts.hostname, _PORTS[scheme] if port is None else port)


@contextmanager
def listening(addresses: Iterable[Listen], intake: Intake) -> Iterator[list[Listen]]:
    """Receive at all addresses while the block runs.

    Yields:
        the addresses, with the ports that were found where 0 was asked for.

    Raises:
        GraylaneError: one cannot be listened on.
        ModuleNotFoundError: grpcio or opentelemetry-proto is not installed.
    """
    with ExitStack() as stack:
        found = []
        for one in addresses:
            if one.scheme == "http":
                from meshconfig.otlp.by_http import serving
            else:
                from meshconfig.otlp.by_grpc import serving
            found.append(one._replace(port=stack.enter_context(serving(one, intake))))
        yield found
