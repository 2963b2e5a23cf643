"""The part of GitHub's and GitLab's APIs that has comments, on loopback, for scripts that comment.

Sources: docs.github.com/rest/issues/comments, docs.gitlab.com/api/notes.
"""

import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from serving import LoopbackServer, serving

LISTS = re.compile(r"/repos/pets/cat/issues/42/comments|/projects/7/merge_requests/42/notes")
ONE = re.compile(r"/(?:repos/pets/cat/issues/comments|projects/7/merge_requests/42/notes)/(\d+)")
TOKEN = "a-token"


class Forge:
    """`comments`: the text of each, by its number; `refuse`: a status with which everything is refused."""

    def __init__(self, url):
        self.url, self.comments, self.refuse = url, {}, 0

    @property
    def github(self):
        """The variables of a job there."""
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_REPOSITORY": "pets/cat",
            "GITHUB_TOKEN": TOKEN,
            "NUMBER": "42",
        }

    @property
    def gitlab(self):
        return {
            "CI_API_V4_URL": self.url,
            "CI_PROJECT_ID": "7",
            "CI_MERGE_REQUEST_IID": "42",
            "GITLAB_TOKEN": TOKEN,
        }

    def answer(self, method, url, headers, body):
        """(status, value)."""
        parts = urlsplit(url)
        given = headers.get("PRIVATE-TOKEN") or headers.get("Authorization", "").removeprefix("Bearer ")
        if self.refuse or given != TOKEN:
            return self.refuse or 401, {"message": "401 Unauthorized"}
        if LISTS.fullmatch(parts.path) and method == "GET":
            query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
            first = (query["page"] - 1) * query["per_page"]
            page = sorted(self.comments.items())[first : first + query["per_page"]]
            return 200, [{"id": number, "body": text} for number, text in page]
        if LISTS.fullmatch(parts.path) and method == "POST":
            number = len(self.comments) + 1
        elif (found := ONE.fullmatch(parts.path)) and method in ("PATCH", "PUT"):
            number = int(found[1])
        else:
            return 404, {"message": f"nothing for {method} {url}"}
        self.comments[number] = body["body"]
        return 201, {"id": number, "body": body["body"]}


class _Server(LoopbackServer):
    forge: Forge


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def _serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        status, value = self.server.forge.answer(self.command, self.path, self.headers, body)
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = _serve  # noqa: N815  http.server's names

    def log_message(self, *args):
        pass


@contextmanager
def forge():
    """A Forge, for the time of the block."""
    server = _Server(_Handler)
    server.forge = Forge(server.url)
    with serving(server):
        yield server.forge
