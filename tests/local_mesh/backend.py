"""A service that starts in no time: it answers who it is and what it saw, and asks the next hop if it has one.

python backend.py NAME PORT [NEXT_URL]
"""

import http.server
import json
import os
import sys
import urllib.request


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = ""
    next_url = ""

    def do_GET(self) -> None:
        passed_on = os.environ.get("PROPAGATION_REMOTE_FIELDS", "").split(",")
        headers = {name: self.headers[name] for name in passed_on if self.headers[name]}
        chain = [{"who": self.name, "saw": self.headers.get_all("env")}]
        if self.next_url:
            request = urllib.request.Request(self.next_url + self.path, headers=headers)
            with urllib.request.urlopen(request, timeout=10) as answer:
                chain += json.load(answer)
        body = json.dumps(chain).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing: a test reads standard output."""


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


if __name__ == "__main__":
    Handler.name, port = sys.argv[1], int(sys.argv[2])
    Handler.next_url = "".join(sys.argv[3:])
    print(f"{Handler.name} is here", flush=True)
    Server(("127.0.0.1", port), Handler).serve_forever()
