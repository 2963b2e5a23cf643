"""What was imported or made before `instrument()` replaced its name, and so does not carry the fields."""

import gc
import sys
from collections.abc import Iterable, Iterator
from inspect import isclass
from typing import Any

from propagation.instrumentation import is_instrumented
from propagation.patching import Replaced, replaced

_OURS = ("propagation.clients.grpc", "propagation.servers.grpc")
_OTLP = ":4317"  # the port of OpenTelemetry's collector: what an exporter sends is nobody's call


def early_names() -> Iterator[str]:
    """A line for each name of a module that leads to what the library had before."""
    for one in replaced():
        for module, name in _holders(one):
            was = f"{one.module}.{one.name} from before instrument(), and does not carry the tag"
            yield f"{module}.{name} is {was}: call instrument() before this import"


def early_objects() -> Iterator[str]:
    """A line for each object that was made with what the library had before, and is still there."""
    for one in replaced():
        if isclass(one.original):
            made = sum(type(found) is one.original for found in gc.get_objects())
            if made:
                yield _made(f"{made} {one.module}.{one.name}")
    if is_instrumented("grpc") and "grpc" in sys.modules:
        yield from (_made(f"the grpc channel to {target}") for target in _channels())
    if is_instrumented("grpc_server") and "grpc" in sys.modules:
        yield from (_made("a grpc server") for _ in range(_servers()))


def _made(what: str) -> str:
    return f"{what} was made before instrument(), and does not carry the tag: call instrument() first"


def _holders(one: Replaced) -> Iterator[tuple[str, str]]:
    own = {one.module.partition(".")[0], "propagation", "opentelemetry"}
    for module_name, module in sorted(sys.modules.items()):
        if module_name.partition(".")[0] not in own:
            for name, value in list(getattr(module, "__dict__", {}).items()):
                if value is one.original:
                    yield module_name, name


def _channels() -> Iterator[str]:
    """The targets of the channels that no interceptor of ours stands before."""
    import grpc

    channels = list(_instances(grpc.Channel))
    carried: set[int] = set()
    for channel in channels:
        if _is_ours(getattr(channel, "_interceptor", None)):
            carried.update(id(inner) for inner in _inside(channel))
    for channel in channels:
        if not isinstance(getattr(channel, "_channel", None), grpc.Channel) and id(channel) not in carried:
            target = channel._channel.target().decode()
            if not target.endswith(_OTLP):
                yield target
    for channel in _instances(grpc.aio.Channel):
        interceptors = getattr(channel, "_unary_unary_interceptors", ())
        if not any(map(_is_ours, interceptors)):
            yield "somewhere (grpc.aio)"


def _servers() -> int:
    """How many servers have no interceptor of ours."""
    import grpc

    pipelines = [getattr(server._state, "interceptor_pipeline", None) for server in _instances(grpc.Server)]
    return sum(not any(map(_is_ours, getattr(pipeline, "interceptors", ()))) for pipeline in pipelines)


def _inside(channel: Any) -> Iterator[Any]:
    while channel is not None:
        yield channel
        channel = getattr(channel, "_channel", None)


def _is_ours(interceptor: object) -> bool:
    return any(one.__module__ in _OURS for one in type(interceptor).__mro__)


def _instances(kind: type) -> Iterable[Any]:
    return [found for found in gc.get_objects() if issubclass(type(found), kind)]
