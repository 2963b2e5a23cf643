"""A service that starts in no time and answers as the demo services do: who it is, what it saw, and the hops behind it.

python backend.py NAME ENV PORT [NEXT_URL]
"""

import http.server
import json
import os
import sys
import urllib.request


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = env = next_url = ""

    def do_GET(self) -> None:
        saw = self.headers.get_all("env")
        chain = [{"service": self.name, "env": self.env, "saw": " and ".join(saw) if saw else None}]
        if self.next_url:
            passed_on = os.environ["PROPAGATION_REMOTE_FIELDS"].split(",")
            headers = {name: self.headers[name] for name in passed_on if self.headers[name]}
            request = urllib.request.Request(self.next_url + self.path, headers=headers)
            with urllib.request.urlopen(request, timeout=10) as answer:
                chain += json.load(answer)["chain"]
        self.answer(json.dumps({"chain": chain}).encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing: a test reads the output."""


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


if __name__ == "__main__":
    Handler.name, Handler.env, port, *rest = sys.argv[1:]
    Handler.next_url = "".join(rest)
    server = Server(("127.0.0.1", int(port)), Handler)
    print(f"{Handler.name}/{Handler.env} listens on {server.server_port}", flush=True)
    server.serve_forever()
