"""Threads and executors whose work has the context, and so the fields, of whoever asked for it."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from contextvars import copy_context
from importlib.util import find_spec
from typing import Any, ParamSpec, TypeVar

from propagation.config import PropagationConfig
from propagation.executors import futures, pools
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Descriptor

DESCRIPTOR = Descriptor(
    None,
    explicit=(
        "propagation.executors.ThreadPoolExecutor",
        "propagation.executors.Thread",
        "propagation.executors.run_in_executor",
    ),
)
# Whose threads work for all: they are started when somebody first needs them, and then go on.
_SERVICES = (
    "concurrent.futures.",
    "multiprocessing.",
    "logging.",
    "apscheduler.",
    "grpc.",
    "kafka.",
    "opentelemetry.",
    "sentry_sdk.",
)
# Since Python 3.14: a pool of threads by inheritance alone. A context cannot go to another interpreter.
_OF_INTERPRETERS: Any = getattr(concurrent.futures, "InterpreterPoolExecutor", ())
P = ParamSpec("P")
T = TypeVar("T")


class ThreadPoolExecutor(concurrent.futures.ThreadPoolExecutor):
    """As that of concurrent.futures; each call runs in a copy of the context in which it was submitted.

    So does a callback of its Future, in a copy of the context in which it was added.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> concurrent.futures.Future[T]:
        """As Executor.submit; `map` uses it too."""
        context = copy_context()
        future = super().submit(lambda: context.run(fn, *args, **kwargs))
        future.__class__ = futures.Future  # the pool makes it, and nobody has seen it yet
        return future


class Thread(threading.Thread):
    """As that of threading; it runs in a copy of the context in which it was started."""

    def start(self) -> None:
        """As Thread.start."""
        _bind(self)
        super().start()


def run_in_executor(
    executor: concurrent.futures.Executor | None, function: Callable[..., T], *args: Any
) -> asyncio.Future[T]:
    """As the running loop's run_in_executor, with the context of now; `asyncio.to_thread` has it by itself.

    executor: a pool of threads, None for the loop's own. A context cannot go to another process.
    """
    return asyncio.get_running_loop().run_in_executor(executor, copy_context().run, function, *args)


def install(config: PropagationConfig | None) -> Undo:
    """Have every Thread, and every ThreadPoolExecutor with it the loop's own, do as those above.

    The same holds for multiprocessing's ThreadPool, for the callbacks of Futures, and for gevent's greenlets.
    A thread that outlives the request which started it keeps that request's fields, so this is for programs that start
    threads for the work of one request. Contexts are carried whole: `config` says nothing
    here. The answer takes it back.
    """

    def submit(original: Callable[..., Any]) -> Callable[..., Any]:
        def submit_with_context(self: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
            if isinstance(self, _OF_INTERPRETERS):
                return original(self, fn, *args, **kwargs)
            return original(self, copy_context().run, fn, *args, **kwargs)

        return submit_with_context

    def start(original: Callable[..., Any]) -> Callable[..., Any]:
        def start_with_context(self: threading.Thread) -> None:
            if not _serves_many(self):
                _bind(self)
            original(self)

        return start_with_context

    undos = [
        patch(concurrent.futures.ThreadPoolExecutor, "submit", submit),
        patch(threading.Thread, "start", start),
        futures.install(),
        pools.install(),
    ]
    if find_spec("gevent") is not None:
        from propagation.executors import greenlets

        undos.append(greenlets.install())
    return undo_all(undos)


def _serves_many(thread: threading.Thread) -> bool:
    """Whether a library started `thread` for its own ends, such as a pool's: it outlives the request."""
    makers = (getattr(thread, "_target", None), type(thread))
    return any((getattr(maker, "__module__", None) or "").startswith(_SERVICES) for maker in makers)


def _bind(thread: threading.Thread) -> None:
    """Have `thread` run in a copy of the current context, also where a subclass has a `run` of its own."""
    if getattr(thread, "_context", None) is None:  # since Python 3.14 a thread may be given one
        run, context = thread.run, copy_context()

        def run_in_context() -> None:
            # Else the thread would hold itself. After a start that failed, a second binds again, and one finds it gone.
            vars(thread).pop("run", None)
            context.run(run)

        vars(thread)["run"] = run_in_context
