"""A Pod for the cluster tests: says who it is and what it was sent, and asks others on behalf of the test.

    python tests/cluster/backend.py --port 9001 --name cat --env gray

Any path answers `{"service", "version", "method", "path", "headers"}`. A request with the header `x-ask: METHOD URL` is
made from here, through this Pod's own sidecar, with the headers in the JSON list of pairs `x-ask-headers`, and with
`x-ask-host` in place of the URL's host; the answer is that of the URL, as `{"status", "body"}`, with status 0 where no
HTTP comes back. Standard library only, so that it runs wherever Python does.

A connection that begins as TLS does is answered with `NAME/VERSION` in plain bytes: it shows who got it, and needs no
certificate. `x-ask: BYTES //ADDRESS:PORT` sends the bytes that `x-ask-bytes` has in hexadecimal digits.
"""

import argparse
import http.client
import json
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HANDSHAKE = b"\x16"  # the first byte of a TLS connection


def exchange(address: str, port: int, sent: bytes) -> str:
    """What comes back for the first bytes of a connection; empty where it is closed."""
    try:
        with socket.create_connection((address, port), timeout=4) as connection:
            connection.sendall(sent)
            return connection.recv(200).decode(errors="replace")
    except OSError:
        return ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = version = ""

    def handle_one_request(self) -> None:
        if self.rfile.peek(1)[:1] == HANDSHAKE:  # type: ignore[attr-defined]  # it is a BufferedReader
            self.wfile.write(f"{self.name}/{self.version}".encode())
            self.close_connection = True
        else:
            super().handle_one_request()

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        asked = self.headers.get("x-ask")
        value = self.ask(*asked.split(" ", 1)) if asked else self.me()
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    # http.server looks them up by these names
    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer  # noqa: N815

    def me(self) -> dict[str, object]:
        headers = [[name.lower(), value] for name, value in self.headers.items()]
        return {
            "service": self.name,
            "version": self.version,
            "method": self.command,
            "path": self.path,
            "headers": headers,
        }

    def ask(self, method: str, url: str) -> dict[str, object]:
        parts = urlsplit(url)
        if method == "BYTES":
            text = exchange(parts.hostname or "", parts.port or 443, bytes.fromhex(self.headers["x-ask-bytes"]))
            return {"status": 200 if text else 0, "body": text}
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=10)
        host = self.headers.get("x-ask-host")
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.putrequest(method, path, skip_host=host is not None)
            for name, value in ([["host", host]] if host else []) + json.loads(
                self.headers.get("x-ask-headers") or "[]"
            ):
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            return {"status": response.status, "body": response.read().decode()}
        except (OSError, http.client.HTTPException) as error:
            return {"status": 0, "body": repr(error)}
        finally:
            connection.close()

    def log_request(self, *args: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--env", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    Handler.name, Handler.version = given.name, given.env
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("0.0.0.0", given.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
