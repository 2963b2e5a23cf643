"""`python -m demo_services --name cat --env prod --port 9001 [--service-url URL …]`: one service until SIGTERM."""

import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial

from demo_services.flags import parse, reject
from demo_services.hop import Service


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C, then exit 0."""
    args = parse(argv)
    if reason := _unusable(args.host, args.port):
        reject(reason)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    service = Service(args.name, args.env, args.tag, tuple(args.service_url), args.timeout, args.delay, args.fail_rate)
    # Each stack is imported only where it serves.
    if args.stack == "wsgi":
        from demo_services import serve_wsgi, wsgi

        serve_wsgi.serve(partial(wsgi.create_app, service), args.host, args.port)
    else:
        from demo_services import app, serve_asgi

        serve_asgi.serve(app.create_app(service), args.host, args.port)


def _unusable(host: str, port: int) -> str | None:
    """Why nothing can listen at host:port; asked here since gunicorn says it only after 5 s."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do; else a restart would fail here
        try:
            trial.bind((host, port))
        except OSError as error:
            return f"{host}:{port}: {error.strerror}"
    return None


if __name__ == "__main__":
    main()
