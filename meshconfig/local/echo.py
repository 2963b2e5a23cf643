"""`python -m meshconfig.local.echo`: a stand-in for a service. It says who it is, calls others, passes headers on.

`graylane init` writes it into `local.yaml`. It needs the standard library alone. Each request is answered in JSON:
the service, its version, path, the headers that it carries, and the answers of the services that it called.
"""

import argparse
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DEPTH = "x-echo-depth"  # counts the hops, so that services that call each other come to an end
DEEPEST = 8
ALWAYS = ("baggage", "x-request-id", "traceparent", DEPTH)
TIMEOUT = 10.0  # seconds for a called service


@dataclass(frozen=True, slots=True)
class Echo:
    """One stand-in.

    Parameters:
        name, version: whom it stands for.
        carried: names of the headers that it passes on, besides `ALWAYS`.
        calls: URLs of the services that it calls for each request, one after the other.
    """

    name: str
    version: str
    carried: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()

    def answer(self, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """The answer to one request."""
        headers = {name.lower(): value for name, value in headers.items()}
        found = {name: headers[name] for name in (*self.carried, *ALWAYS) if headers.get(name)}
        depth = int(found.pop(DEPTH, "0")) if found.get(DEPTH, "0").isdigit() else 0
        said: dict[str, Any] = {"service": self.name, "version": self.version, "path": path, "headers": found}
        if self.calls and depth < DEEPEST:
            sent = {**found, DEPTH: str(depth + 1)}
            said["calls"] = [_call(url, sent) for url in self.calls]
        return said


def _call(url: str, headers: Mapping[str, str]) -> Any:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers)), timeout=TIMEOUT) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return {"url": url, "status": error.code}
    except (OSError, ValueError) as error:
        return {"url": url, "error": str(error)}


def server(echo: Echo, port: int) -> ThreadingHTTPServer:
    """An HTTP server on a port of loopback; 0 takes any free one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            body = json.dumps(echo.answer(self.path, dict(self.headers))).encode() + b"\n"
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815  http.server's names

        def log_message(self, *what: Any) -> None:
            """Prints nothing: `local up` prints each request."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a stand-in until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m meshconfig.local.echo", description="A stand-in for a service.")
    parser.add_argument("--name", required=True, help="service that it stands for")
    parser.add_argument("--version", required=True, help="version that it stands for")
    parser.add_argument("--port", required=True, type=int, help="port to listen on")
    parser.add_argument("--carry", action="append", default=[], metavar="HEADER", help="header to pass on")
    parser.add_argument("--call", action="append", default=[], metavar="URL", help="service to call for each request")
    given = parser.parse_args(arguments)
    carried = tuple(name.lower() for name in given.carry)
    server(Echo(given.name, given.version, carried, tuple(given.call)), given.port).serve_forever()


if __name__ == "__main__":
    main()
