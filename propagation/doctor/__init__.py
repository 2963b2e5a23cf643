"""`python -m propagation doctor [module:app]`: what carries the tag in this environment, and where it would be lost."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

from propagation.config import PropagationConfig, default_config
from propagation.doctor import app, libraries, opentelemetry
from propagation.doctor.finding import NOTE, OK, WRONG, Finding, UsageError, one_line
from propagation.errors import PropagationError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings. Gives 0; 1 where the tag is lost or leaks, or an app shows nothing; 2 for bad input."""
    options = _parser().parse_args(arguments)
    try:
        wrong = [_print(title, found) for title, found in _sections(options)]
    except PropagationError as error:
        print(one_line(f"propagation doctor: {error}"), file=sys.stderr)
        return 2
    return int(any(wrong))


class _Parser(argparse.ArgumentParser):
    """Its errors repeat the user's words."""

    def error(self, message: str) -> NoReturn:
        super().error(one_line(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m propagation")
    doctor = parser.add_subparsers(required=True, metavar="command").add_parser(
        "doctor", help="what carries the tag in this environment, and where it would be lost"
    )
    doctor.add_argument("app", nargs="?", metavar="module:app", help="ASGI or WSGI app to send requests to, in-process")
    doctor.add_argument("--path", default="/", help="path of the requests (default: /)")
    doctor.add_argument("--method", default="GET", help="method of the requests (default: GET)")
    doctor.add_argument(
        "--header", action="append", default=[], metavar="NAME:VALUE", help="header of the requests; may be repeated"
    )
    doctor.add_argument(
        "--timeout",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="most seconds for the app's import, its start, and each request (default: 30)",
    )
    return parser


def _sections(options: argparse.Namespace) -> Iterator[tuple[str, Iterator[Finding]]]:
    config = default_config()
    if config.tag is None:
        raise UsageError("PROPAGATION_REMOTE_FIELDS names no field")
    if not 0 < options.timeout < float("inf"):
        raise UsageError(f"--timeout: {options.timeout} is no number of seconds")
    headers = dict(_header(text) for text in options.header)
    # First of all: what the libraries and OpenTelemetry do is what the app's modules make of them.
    loaded = app.load(options.app, options.timeout) if options.app else None
    modules = {name.partition(".")[0] for name in sys.modules} if options.app else None
    yield "fields", _fields(config)
    yield "OpenTelemetry", opentelemetry.findings(config)
    yield "libraries", libraries.findings(config, modules)
    if options.app:
        found = app.findings(loaded, options.path, options.method, headers, options.timeout, config)
        yield f"app {options.app}", found


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"--header: {text!r} is not NAME:VALUE")
    return name.strip(), value.strip()


def _print(title: str, findings: Iterator[Finding]) -> bool:
    print(one_line(title))
    wrong = False
    for mark, text in findings:
        wrong |= mark in WRONG
        print(f"  {mark:<5} {one_line(text)}")
    return wrong


def _fields(config: PropagationConfig) -> Iterator[Finding]:
    for field in config.fields:
        values = "|".join(sorted(field.allowed)) if field.allowed else "any value"
        yield Finding(OK, f"{field.name}: header {', '.join(field.wire_names)}; {values}")
    if not config.trust_inbound:
        yield Finding(NOTE, "trust_inbound is off: what comes in is dropped")
    if config.allowed_hosts is not None:
        yield Finding(NOTE, f"sent to {', '.join(config.allowed_hosts) or 'no host'} alone")
