"""Resources to YAML text: block style, two spaces, keys in the order given, strings quoted only where YAML asks for it.

An emitter of our own for the one shape that resources have (mappings, lists, plain scalars), because PyYAML's takes
longer for 20,000 documents than `helm template` does for everything; a property test holds it to PyYAML's reading.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import yaml

# What starts with a letter or `/`, goes on in harmless characters and is no word that YAML reads as something else.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_RESOLVE = yaml.SafeLoader.yaml_implicit_resolvers
_WORDS = {"y", "n"}  # booleans to some YAML 1.1 readers, not to PyYAML


def to_yaml(manifests: Iterable[Mapping[str, Any]]) -> str:
    """Documents, each begun by `---`."""
    return "".join("---\n" + "\n".join(_mapping(manifest, "")) + "\n" for manifest in manifests)


def _mapping(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, item in value.items():
        name = f"{indent}{_string(key)}:"
        if item and isinstance(item, Mapping):
            yield name
            yield from _mapping(item, indent + "  ")
        elif item and isinstance(item, list | tuple):
            yield name
            yield from _items(item, indent)
        else:
            yield f"{name} {_scalar(item)}"


def _items(values: Iterable[Any], indent: str) -> Iterator[str]:
    for item in values:
        if item and isinstance(item, Mapping | list | tuple):
            inner = indent + "  "
            lines = _mapping(item, inner) if isinstance(item, Mapping) else _items(item, inner)
            yield f"{indent}- {next(lines)[len(inner) :]}"
            yield from lines
        else:
            yield f"{indent}- {_scalar(item)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        return "{}"
    return "[]" if isinstance(value, list | tuple) else json.dumps(value)


@lru_cache(maxsize=65536)
def _string(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not _resolves(text):
        return text
    # JSON's strings are YAML's double-quoted ones; what JSON leaves bare and YAML does not is escaped too.
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _resolves(text: str) -> bool:
    """Would YAML read it as a number, a truth value, null or a date?"""
    return any(pattern.match(text) for _, pattern in _RESOLVE.get(text[0], ()))
