"""An app that is named on the command line: loaded, tried, and what is to be said of it."""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from threading import current_thread, main_thread
from types import FrameType
from typing import Any

from propagation.config import PropagationConfig
from propagation.doctor.finding import NOTE, OK, Finding, UsageError
from propagation.probe.app import Tried, try_app
from propagation.probe.drive import TooSlow
from propagation.probe.interface import NotAnApp, interface_of
from propagation.probe.others import native


def load(place: str, seconds: float) -> Any:
    """The app at "module:attribute". Raises UsageError, also where it cannot be sent requests."""
    module_name, _, path = place.partition(":")
    if not module_name or not path:
        raise UsageError(f"{place!r}: give module:app, such as cats.app:app")
    found = _imported(place, module_name, seconds)
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            near = get_close_matches(attribute, dir(found), n=1)
            raise UsageError(f"{place}: no {attribute!r} there" + (f"; did you mean {near[0]!r}?" if near else ""))
        found = getattr(found, attribute)
    try:
        interface_of(found)
    except NotAnApp as error:
        raise UsageError(f"{place}: {error}") from None
    return found


def findings(
    app: Any, path: str, method: str, headers: Mapping[str, str], seconds: float, config: PropagationConfig
) -> Iterator[Finding]:
    """How three requests went, and what of it could not be seen. Raises PropagationError as `try_app` does."""
    tried = try_app(app, path, method=method, headers=headers, config=config, timeout=seconds)
    for one in tried:
        yield from _tried(one, config)
    for line in dict.fromkeys(line for one in tried for line in one.outcome.unread):
        yield Finding(NOTE, f"{line}; it was closed, and what the app would do after it is not shown")
    if unseen := native(frozenset(sys.modules)):
        yield Finding(NOTE, f"calls by {', '.join(unseen)} are not seen: their sockets are not Python's")


def _tried(tried: Tried, config: PropagationConfig) -> Iterator[Finding]:
    outcome, calls = tried.outcome, len(tried.outcome.calls)
    yield from (Finding(fault.kind.value, fault.text) for fault in tried.wrong)
    if tried.wrong:
        return
    sent = f"{config.tag}: {tried.value}" if tried.value else f"no {config.tag}"
    failed = outcome.status is None or outcome.status >= 400
    seen = f"{calls} call(s) out, each as it should be" if calls else "0 call(s) out, so only its reading is shown"
    yield Finding(NOTE if failed else OK, f"{sent} → {outcome.status or _failure(outcome.error)}; {seen}")


def _failure(error: Exception | None) -> str:
    return "no answer" if error is None else str(error) if isinstance(error, TooSlow) else repr(error)


def _imported(place: str, name: str, seconds: float) -> Any:
    try:
        with _limited(seconds):
            return import_module(name)
    except _TooLong:
        raise UsageError(f"{place}: importing it takes more than {seconds:g} s; --timeout gives it more") from None
    except ModuleNotFoundError as error:
        raise UsageError(f"{place}: there is no module {error.name!r}") from None
    except Exception as error:  # noqa: BLE001  # whatever somebody's module raises
        raise UsageError(f"{place}: importing it fails: {error!r}") from None
    except SystemExit as error:  # of a script without `if __name__ == "__main__"`: its code would become ours
        raise UsageError(f"{place}: importing it ends the program: {error!r}") from None


class _TooLong(BaseException):
    """Raised inside an import; not an Exception, so that what tries again and again does not catch it."""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise _TooLong in the block after so many seconds, where the system has a timer for that."""

    def end(number: int, frame: FrameType | None) -> None:
        raise _TooLong

    if not hasattr(signal, "setitimer") or current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
