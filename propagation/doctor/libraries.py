"""Which of the installed libraries carry the tag as this process has them, and which nobody can tell of."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from importlib.metadata import PackageNotFoundError, version

from propagation.config import PropagationConfig
from propagation.doctor.finding import LEAK, LOST, NO, NOTE, OK, Finding
from propagation.instrumentation import is_instrumented
from propagation.probe.early import early_names, early_objects
from propagation.probe.libraries import Verdict, try_library
from propagation.probe.others import Other, others
from propagation.probe.recorder import Recorder, recording
from propagation.registry import REGISTRY, Descriptor, descriptor, is_installed


def findings(config: PropagationConfig, loaded: AbstractSet[str] | None) -> Iterator[Finding]:
    """A line for each library. loaded: the top-level modules that the app has loaded; None where there is no app."""
    names = [name for name, entry in REGISTRY.items() if entry.default and not entry.background and is_installed(name)]
    used = [name for name in names if loaded is None or REGISTRY[name].package in loaded or is_instrumented(name)]
    with recording() as recorder:
        for name in used:
            yield _library(name, config, recorder, has_app=loaded is not None)
    unknown = list(others())
    for other in unknown:
        if loaded is None or other.package in loaded:
            yield _unknown(other)
    for early in (*early_names(), *early_objects()):
        yield Finding(LOST, early)
    if loaded is not None:
        rest = [name for name in names if name not in used]
        rest += [other.package for other in unknown if other.package not in loaded]
        if rest:
            yield Finding(NOTE, f"installed, not loaded by the app, and not looked at: {', '.join(rest)}")


def _library(name: str, config: PropagationConfig, recorder: Recorder, *, has_app: bool) -> Finding:
    known = name
    try:
        described = descriptor(name)
        known = f"{name} {_version(described)}"
        verdict = try_library(name, config, recorder)
    except Exception as error:  # noqa: BLE001  # a library that fails is no reason to say nothing of the others
        return Finding(NOTE, f"{known} could not be tried: {error!r}")
    if verdict in (Verdict.CARRIES, Verdict.INSTRUMENTED, Verdict.LEAKS):
        return Finding(LEAK if verdict is Verdict.LEAKS else OK, f"{known} {verdict.value}")
    explicit = f", or {described.explicit[0]}" if described.explicit else ""
    cure = f'instrument("{name}"){explicit}'
    # An app may well have its own way for each of its clients; its calls are what counts.
    if has_app:
        return Finding(
            NOTE, f"{known} {verdict.value} by itself: it takes {cure}; what the app sends is looked at below"
        )
    return Finding(NO, f"{known} {verdict.value}: {cure}")


def _unknown(other: Other) -> Finding:
    known = f"{other.package} {other.version}".strip()
    if other.native:
        text = (
            "is a client with sockets of its own: its calls are not seen here, and carry what they are given: inject()"
        )
    else:
        text = "is a client that this package knows nothing of: it carries what it is given: inject()"
    return Finding(NOTE, f"{known} {text}")


def _version(described: Descriptor) -> str:
    if described.distribution is None:
        return "of Python"
    try:
        return version(described.distribution)
    except PackageNotFoundError:
        return "(unknown version)"
