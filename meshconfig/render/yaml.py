"""Resources to YAML text: block style, two spaces, keys in the order given, strings quoted only where YAML asks for it.

An emitter of our own for the one shape that resources have (mappings, lists, plain scalars), because PyYAML's takes
longer for 20,000 documents than `helm template` does for everything; a property test holds it to PyYAML's reading.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import yaml

# What starts with a letter or `/`, goes on in harmless characters and is no word that YAML reads as something else.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_RESOLVE = yaml.SafeLoader.yaml_implicit_resolvers
_WORDS = {"y", "n"}  # booleans to some YAML 1.1 readers, not to PyYAML


def to_yaml(manifests: Iterable[Mapping[str, Any]]) -> str:
    """Documents, each begun by `---`."""
    lines: list[str] = []
    for manifest in manifests:
        lines.append("---")
        _mapping(manifest, "", "", lines)
    return "\n".join([*lines, ""]) if lines else ""


def _mapping(value: Mapping[str, Any], first: str, indent: str, lines: list[str]) -> None:
    """`first` begins the first line, `indent` the others: they differ where the mapping is an item of a list."""
    start = first
    for key, item in value.items():
        name = f"{start}{_string(key)}:"
        if isinstance(item, str):
            lines.append(f"{name} {_string(item)}")
        elif item and isinstance(item, dict):
            lines.append(name)
            inner = indent + "  "
            _mapping(item, inner, inner, lines)
        elif item and isinstance(item, list):
            lines.append(name)
            _items(item, indent, indent, lines)
        else:
            lines.append(f"{name} {_scalar(item)}")
        start = indent


def _items(values: list[Any], first: str, indent: str, lines: list[str]) -> None:
    start = first
    for item in values:
        if item and isinstance(item, dict):
            _mapping(item, start + "- ", indent + "  ", lines)
        elif item and isinstance(item, list):
            _items(item, start + "- ", indent + "  ", lines)
        else:
            lines.append(f"{start}- {_scalar(item)}")
        start = indent


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    return json.dumps(value)  # numbers, true, false, null, and the empty {} and []


@lru_cache(maxsize=65536)
def _string(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not _resolves(text):
        return text
    # JSON's strings are YAML's double-quoted ones, but for what cannot be seen: YAML knows no surrogate pairs.
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(map(_escaped, quoted))


def _escaped(character: str) -> str:
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _resolves(text: str) -> bool:
    """Would YAML read it as a number, a truth value, null or a date?"""
    return any(pattern.match(text) for _, pattern in _RESOLVE.get(text[0], ()))
