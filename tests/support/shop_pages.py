"""A shop for a browser: pages with twenty assets, half of them another service's. Each response says who sent it.

    python tests/support/shop_pages.py cat v1 PORT

Every response has `x-version: cat/v1`. `/` is a page that links to the lanes, and loads scripts of `/cat` and `/mouse`.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ASSETS = [f"/{service}/{number}.js" for number in range(10) for service in ("cat", "mouse")]
PAGE = """<!doctype html>
<html lang="en"><head><title>{who}</title>{scripts}</head>
<body><h1>{who}</h1><a href="/.lane/gray">gray</a> <a href="/.lane/prod">prod</a></body></html>
"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    who = ""

    def do_GET(self) -> None:
        scripts = "".join(f'<script src="{asset}"></script>' for asset in ASSETS)
        is_page = self.path == "/"
        body = (PAGE.format(who=self.who, scripts=scripts) if is_page else f"/* {self.who} */").encode()
        self.send_response(200)
        self.send_header("content-type", "text/html" if is_page else "text/javascript")
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.send_header("x-version", self.who)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing: a test reads the output."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128


if __name__ == "__main__":
    Handler.who = "/".join(sys.argv[1:3])
    Server(("127.0.0.1", int(sys.argv[3])), Handler).serve_forever()
