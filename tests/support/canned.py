"""An HTTP server on loopback that answers what it is told to, and keeps what it was sent."""

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from serving import LoopbackServer, serving


class Canned:
    """`answers`: pairs of status and body, one for each request; the last is given again."""

    def __init__(self, answers):
        self.answers = list(answers)
        self.seen = []  # (method, path, headers in lower case, body)
        self.url = ""

    def next(self):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Server(LoopbackServer):
    canned: Canned


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self):
        canned = self.server.canned
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        canned.seen.append((self.command, self.path, headers, body))
        status, answer = canned.next()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer.encode())))
        self.end_headers()
        self.wfile.write(answer.encode())

    do_GET = do_POST  # noqa: N815  http.server's name

    def log_message(self, *args):
        pass


@contextmanager
def answering(*answers):
    """A Canned, for the time of the block."""
    server = _Server(_Handler)
    server.canned = Canned(answers)
    server.canned.url = server.url
    with serving(server):
        yield server.canned
