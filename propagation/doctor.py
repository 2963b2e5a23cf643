"""`python -m propagation doctor [module:app]`: what carries the tag in this environment, and where it would be lost."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from opentelemetry.context import Context

from propagation import members
from propagation.config import PropagationConfig, default_config
from propagation.context import use
from propagation.errors import PropagationError
from propagation.probe.app import Tried, try_app, values_of
from propagation.probe.libraries import Verdict, try_library
from propagation.probe.recorder import Recorder, recording
from propagation.registry import REGISTRY, Descriptor, descriptor, is_installed

OK, NO, NOTE, LEAK = "ok", "no", "note", "LEAK"
_PROPAGATORS = "OTEL_PROPAGATORS"
_ADVISED = "tracecontext,baggage,remote_fields"


class Finding(NamedTuple):
    """One line: OK, NO (does not carry; nothing lost by itself), NOTE or LEAK, and what it is about."""

    mark: str
    text: str


class UsageError(PropagationError):
    """Bad input; says what to change."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings. Gives 0, or 1 where the tag is lost or leaks, or 2 for bad input."""
    options = _parser().parse_args(arguments)
    try:
        leaks = [_print(title, found) for title, found in _sections(options)]
    except PropagationError as error:
        print(f"propagation doctor: {error}", file=sys.stderr)
        return 2
    return int(any(leaks))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m propagation")
    doctor = parser.add_subparsers(required=True, metavar="command").add_parser(
        "doctor", help="what carries the tag in this environment, and where it would be lost"
    )
    doctor.add_argument(
        "app", nargs="?", metavar="module:app", help="an ASGI or WSGI app to send requests to, in-process"
    )
    doctor.add_argument("--path", default="/", help="what to ask the app for (default: /)")
    doctor.add_argument("--method", default="GET", help="by which method (default: GET)")
    return parser


def _sections(options: argparse.Namespace) -> Iterator[tuple[str, Iterator[Finding]]]:
    config = default_config()
    if config.tag is None:
        raise UsageError("PROPAGATION_REMOTE_FIELDS names no field")
    yield "fields", _fields(config)
    yield "OpenTelemetry", _opentelemetry(config)
    # Before the libraries: what they do is what the app's modules make of them.
    app = _load(options.app) if options.app else None
    yield "libraries", _libraries(config)
    if options.app:
        yield f"app {options.app}", _app(app, options, config)


def _print(title: str, findings: Iterator[Finding]) -> bool:
    print(title)
    leak = False
    for mark, text in findings:
        leak |= mark == LEAK
        print(f"  {mark:<5} {text}")
    return leak


def _fields(config: PropagationConfig) -> Iterator[Finding]:
    for field in config.fields:
        values = "|".join(sorted(field.allowed)) if field.allowed else "any value"
        yield Finding(OK, f"{field.name}: header {', '.join(field.wire_names)}; {values}")
    if not config.trust_inbound:
        yield Finding(NOTE, "trust_inbound is off: what comes in is dropped")
    if config.allowed_hosts is not None:
        yield Finding(NOTE, f"sent to {', '.join(config.allowed_hosts) or 'no host'} alone")


def _opentelemetry(config: PropagationConfig) -> Iterator[Finding]:
    """What its propagators do, tried out: with a foreign member of baggage, and with the tag."""
    setting = os.environ.get(_PROPAGATORS)
    name = f"{_PROPAGATORS}={setting}" if setting is not None else f"{_PROPAGATORS} is not set"
    passed, written = _propagated(config)
    field = config.by_name[config.tag or ""]
    if "doctor=1" not in passed:
        yield Finding(LEAK, f"{name}: baggage is lost where OpenTelemetry carries it; set {_PROPAGATORS}={_ADVISED}")
    elif field.wire_names[0] in written:
        yield Finding(OK, f"{name}: the tag goes as header and in baggage")
    elif config.allowed_hosts is None:
        yield Finding(
            NOTE,
            f"{name}: OpenTelemetry's own clients send the tag in baggage alone, and its middleware inside ours begins "
            f"without it; {_PROPAGATORS}={_ADVISED} cures both",
        )
    if field.wire_names[0] in written and "doctor=1" in passed and ";ttl=5" not in passed:
        yield Finding(NOTE, "foreign members of baggage are rewritten on their way; list remote_fields after baggage")
    if config.allowed_hosts is not None and f"{field.name}=" in written.get(members.HEADER, ""):
        yield Finding(NOTE, "OpenTelemetry's own clients send baggage to every host; ours keep to allowed_hosts")
    for variable, urls in sorted(os.environ.items()):
        if variable.startswith("OTEL_PYTHON_") and variable.endswith("EXCLUDED_URLS"):
            yield Finding(NOTE, f"{variable}={urls}: there OpenTelemetry neither reads nor writes; ours does")


def _propagated(config: PropagationConfig) -> tuple[str, dict[str, str]]:
    """What becomes of a foreign `baggage` that passes through, and the headers that the tag gets."""
    try:
        from opentelemetry.propagate import get_global_textmap
    except ValueError as error:
        raise UsageError(f"{_PROPAGATORS}: {error}") from None
    textmap, passed, written = get_global_textmap(), dict[str, str](), dict[str, str]()
    textmap.inject(passed, textmap.extract({members.HEADER: "doctor=1;ttl=5"}, Context()))
    field = config.by_name[config.tag or ""]
    with use(Context(), **{field.name: values_of(field)[0]}) as context:
        textmap.inject(written, context)
    return passed.get(members.HEADER, ""), written


def _libraries(config: PropagationConfig) -> Iterator[Finding]:
    with recording() as recorder:
        for name, entry in REGISTRY.items():
            if entry.default and not entry.background and is_installed(name):
                yield _library(name, config, recorder)


def _library(name: str, config: PropagationConfig, recorder: Recorder) -> Finding:
    known = name
    try:
        described = descriptor(name)
        known = f"{name} {_version(described)}"
        verdict = try_library(name, config, recorder)
    except Exception as error:  # noqa: BLE001  # a library that fails is no reason to say nothing of the others
        return Finding(NOTE, f"{known} could not be tried: {error!r}")
    if verdict in (Verdict.CARRIES, Verdict.LEAKS):
        return Finding(OK if verdict is Verdict.CARRIES else LEAK, f"{known} {verdict.value}")
    explicit = f", or {described.explicit[0]}" if described.explicit else ""
    return Finding(NO, f'{known} {verdict.value}: instrument("{name}"){explicit}')


def _version(described: Descriptor) -> str:
    if described.distribution is None:
        return "of Python"
    try:
        return version(described.distribution)
    except PackageNotFoundError:
        return "(unknown version)"


def _app(app: Any, options: argparse.Namespace, config: PropagationConfig) -> Iterator[Finding]:
    for tried in try_app(app, options.path, method=options.method, config=config):
        yield from _tried(tried, config)


def _tried(tried: Tried, config: PropagationConfig) -> Iterator[Finding]:
    calls, unread = tried.outcome.calls, tried.outcome.unread
    if tried.wrong:
        yield from (Finding(LEAK, line) for line in tried.wrong)
    else:
        sent = f"{config.tag}: {tried.value}" if tried.value else f"no {config.tag}"
        outcome = f"{tried.outcome.status or repr(tried.outcome.error)}"
        failed = tried.outcome.status is None or tried.outcome.status >= 400
        yield Finding(NOTE if failed else OK, f"{sent} → {outcome}; {len(calls)} call(s) out, each as it should be")
    if unread:
        yield Finding(NOTE, f"{unread} connection(s) spoke no plain HTTP, and could not be looked into")


def _load(place: str) -> Any:
    """The app at "module:attribute". Raises UsageError."""
    module_name, _, path = place.partition(":")
    if not module_name or not path:
        raise UsageError(f"{place!r}: give module:app, such as cats.app:app")
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        raise UsageError(f"{place}: there is no module {error.name!r}") from None
    except Exception as error:  # noqa: BLE001  # whatever somebody's module raises
        raise UsageError(f"{place}: importing it fails: {error!r}") from None
    except SystemExit as error:  # of a script without `if __name__ == "__main__"`: its code would become ours
        raise UsageError(f"{place}: importing it ends the program: {error!r}") from None
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            near = get_close_matches(attribute, dir(found), n=1)
            raise UsageError(f"{place}: no {attribute!r} there" + (f"; did you mean {near[0]!r}?" if near else ""))
        found = getattr(found, attribute)
    return found
