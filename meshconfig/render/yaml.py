"""Writes resources as YAML: block style, two spaces, keys in the order given, quotes only where YAML needs them.

The emitter writes only what resources consist of: mappings, lists and plain scalars. PyYAML's emitter is not used,
because for 20,000 documents it takes longer than `helm template` does in all. A property test reads the text back with
PyYAML.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import yaml

from meshconfig.printable import escape_quoted

# Text that needs no quotes: it starts with a letter or `/` and has no character that means something in YAML.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_RESOLVE = yaml.SafeLoader.yaml_implicit_resolvers
_WORDS = {"y", "n"}  # booleans to some YAML 1.1 readers, not to PyYAML
# YAML 1.2, "Simple keys": a longer key has to be marked as one. Quotes and escapes count, so this stays below the 1024.
_LONGEST_KEY = 1000


def to_yaml(manifests: Iterable[Mapping[str, Any]]) -> str:
    """The resources as YAML documents, each after a line `---`."""
    lines: list[str] = []
    for manifest in manifests:
        lines.append("---")
        _mapping(manifest, "", "", lines)
    return "\n".join([*lines, ""]) if lines else ""


def _mapping(value: Mapping[str, Any], first: str, indent: str, lines: list[str]) -> None:
    """Adds a mapping's lines. `first` starts the first line, `indent` the others; in a list item the two differ."""
    start = first
    for key, item in value.items():
        name = f"{start}{_key(key, indent)}:"
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


def _key(key: str, indent: str) -> str:
    written = _string(key)
    return written if len(written) <= _LONGEST_KEY else f"? {written}\n{indent}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float):
        return _float(value)
    return json.dumps(value)  # whole numbers, true, false, null, and the empty {} and []


def _float(value: float) -> str:
    """A number as YAML 1.1 reads it too: with a dot, so that `1e-07` is no text."""
    if not math.isfinite(value):
        return {"inf": ".inf", "-inf": "-.inf"}.get(str(value), ".nan")
    mantissa, e, exponent = repr(value).partition("e")
    return f"{mantissa}{'' if '.' in mantissa else '.0'}{e}{exponent}"


@lru_cache(maxsize=65536)
def _string(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not _resolves(text):
        return text
    # A JSON string is also a double-quoted string of YAML, except for characters that are not printable: JSON escapes
    # some of them as surrogate pairs, which YAML does not have.
    return escape_quoted(json.dumps(text, ensure_ascii=False), lambda code: f"\\U{code:08x}")


def _resolves(text: str) -> bool:
    """Whether YAML would read the text as a number, a boolean, null or a date."""
    return any(pattern.match(text) for _, pattern in _RESOLVE.get(text[0], ()))
