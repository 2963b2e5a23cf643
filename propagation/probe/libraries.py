"""Does a client library carry the tag, as it is in this process? Each sends a request and its headers are looked at."""

from collections.abc import Callable
from contextvars import copy_context
from enum import Enum
from queue import Queue
from threading import Thread

from propagation import members
from propagation.config import PropagationConfig
from propagation.context import use
from propagation.instrumentation import is_instrumented
from propagation.probe.app import values_of
from propagation.probe.recorder import Call, Recorder
from propagation.registry import descriptor

STRANGER = "stranger.invalid"
_ALLOWED = "doctor.invalid"
_SECONDS = 30.0  # for one request


class Verdict(Enum):
    """What a library does with the tag."""

    CARRIES = "carries the tag"
    INSTRUMENTED = "is instrumented; it is not tried out here"
    BAGGAGE = "carries the tag in baggage alone"
    NOT = "does not carry the tag"
    LEAKS = "carries the tag to hosts that are not allowed"


def try_library(name: str, config: PropagationConfig, recorder: Recorder) -> Verdict:
    """What the library of this entry of the registry does when used plainly; `recorder` is in force.

    Of one that speaks no HTTP: whether it is instrumented. Raises what the library raises.
    """
    probe = descriptor(name).probe
    if probe is None:
        return Verdict.INSTRUMENTED if is_instrumented(name) else Verdict.NOT
    field = config.by_name[config.tag or ""]
    with use(**{field.name: values_of(field)[0]}):
        if not config.allows(STRANGER):
            _send(probe, STRANGER)
            if any(_values(field.wire_names[0], field.name, call) for call in recorder.take()):
                return Verdict.LEAKS
        _send(probe, _allowed(config))
        (call,) = recorder.take()[-1:]
    if call.values(field.wire_names[0]):
        return Verdict.CARRIES
    return Verdict.BAGGAGE if _values(field.wire_names[0], field.name, call) else Verdict.NOT


def _values(header: str, name: str, call: Call) -> list[str]:
    listed = members.split_all(call.values(members.HEADER))
    return call.values(header) + [member for member in listed if members.key_of(member) == name]


def _allowed(config: PropagationConfig) -> str:
    """A host that may have the fields."""
    patterns = config.allowed_hosts or (_ALLOWED,)
    one = next((pattern for pattern in patterns if "/" not in pattern and ":" not in pattern), patterns[0])
    return "doctor" + one if one.startswith(".") else one.partition("/")[0]


def _send(probe: Callable[[str], None], host: str) -> None:
    """Send one request, in a thread: a loop may be running in this one. Raises what the library raises, or Empty."""
    url = f"http://[{host}]/" if ":" in host else f"http://{host}/"
    ended: Queue[Exception | None] = Queue()

    def send() -> None:
        try:
            probe(url)
        except Exception as error:  # noqa: BLE001  # it goes to the caller's thread
            ended.put(error)
        else:
            ended.put(None)

    Thread(target=copy_context().run, args=(send,), daemon=True).start()
    if error := ended.get(timeout=_SECONDS):
        raise error
