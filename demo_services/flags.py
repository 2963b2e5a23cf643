"""The command line of `python -m demo_services`. What cannot be used ends the process with one line and exit code 2."""

import argparse
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import NoReturn
from urllib.parse import urlsplit

from propagation import PropagationConfig
from propagation.errors import ConfigError

_REQUIRED = ("--name", "--env", "--port")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags in `argv`, by default of this process; `tag` comes from the environment where it is not given."""
    parser = _parser()
    args, unknown = parser.parse_known_args(argv)
    flags = {"--" + name.replace("_", "-"): value for name, value in vars(args).items()}
    if unknown:
        parser.error(f"{unknown[0]}: no such flag; {_nearest(unknown[0], tuple(flags))}")
    if missing := [flag for flag in _REQUIRED if flags[flag] is None]:
        parser.error(f"{', '.join(missing)}: missing")
    try:
        args.tag = _carried(args.tag)
    except ConfigError as error:
        parser.error(str(error))
    return args


def reject(reason: str) -> NoReturn:
    """End the process as for a flag that cannot be used."""
    _parser().error(reason)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"demo_services: {message}\n")


def _parser() -> _Parser:
    # Required flags are checked in parse(), so that a misspelt one is named rather than called missing.
    parser = _Parser(prog="python -m demo_services", description="One demo service, until SIGTERM.", allow_abbrev=False)
    add = parser.add_argument
    add("--name", help="the service's name, as the answer shows it (required)")
    add("--env", help="this version's name, as the answer shows it (required)")
    add("--port", type=_port, help="the port to listen on (required)")
    add("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    add(
        "--service-url", type=_url, action="append", default=[], metavar="URL", help="a next hop; repeat it for several"
    )
    add("--stack", choices=("asgi", "wsgi"), default="asgi", help="Starlette on uvicorn, or Flask on gunicorn")
    add("--tag", help="the field shown as `saw` (the first of PROPAGATION_REMOTE_FIELDS)")
    add("--timeout", type=_seconds, default=5.0, metavar="SECONDS", help="until a next hop has failed (%(default)s)")
    add("--delay", type=_seconds, default=0.0, metavar="SECONDS", help="before each answer")
    add("--fail-rate", type=_percent, default=0.0, metavar="PERCENT", help="how many requests are answered with 500")
    return parser


def _nearest(flag: str, flags: tuple[str, ...]) -> str:
    near = get_close_matches(flag.partition("=")[0], flags, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(flags)}"


def _carried(tag: str | None) -> str:
    fields = PropagationConfig.from_env().remote_fields
    if tag is None and fields:
        return fields[0]
    if tag not in fields:
        raise ConfigError(f"--tag: {tag} is not among PROPAGATION_REMOTE_FIELDS ({', '.join(fields) or 'none'})")
    return tag


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL like http://mouse-svc:9001/sayHello")
    return text


def _between(low: float, high: float, what: str) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
        return value

    return number


_seconds = _between(0, 3600, "a number of seconds (0 to 3600)")
_percent = _between(0, 100, "a percentage (0 to 100)")
