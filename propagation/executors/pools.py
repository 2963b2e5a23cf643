"""multiprocessing's pool of threads, on which joblib's threading backend is built."""

from collections.abc import Callable
from inspect import signature
from multiprocessing.pool import ThreadPool
from typing import Any

from propagation.executors.futures import bound
from propagation.patching import Undo, patch, undo_all

# `apply` is `apply_async`, and every kind of `map` is `_map_async`.
_METHODS = ("apply_async", "_map_async", "imap", "imap_unordered")
_FUNCTIONS = ("func", "callback", "error_callback")


def install() -> Undo:
    """Have every call of a ThreadPool run in the context of whoever asked for it; the answer takes it back."""

    def method(original: Callable[..., Any]) -> Callable[..., Any]:
        parameters = signature(original)

        def method_with_context(*args: Any, **kwargs: Any) -> Any:
            call = parameters.bind(*args, **kwargs)
            for name in _FUNCTIONS:
                if call.arguments.get(name) is not None:
                    call.arguments[name] = bound(call.arguments[name])
            return original(*call.args, **call.kwargs)

        return method_with_context

    return undo_all([patch(ThreadPool, name, method) for name in _METHODS])
