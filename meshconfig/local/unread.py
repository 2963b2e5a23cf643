"""The fields of a resource that the typed view does not know."""

from collections.abc import Iterator
from typing import Any

from meshconfig.istio.types import View, unmodelled


def unread(view: View, path: str) -> Iterator[str]:
    for name in unmodelled(view):
        yield f"{path}.{name}"
    for name, info in type(view).model_fields.items():
        yield from _below(getattr(view, name), f"{path}.{info.alias or name}")


def _below(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, View):
        yield from unread(value, path)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _below(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _below(item, f"{path}.{name}")
