"""Names and values of headers in operations and matches, as Istio's webhook takes them.

Source: istio pkg/config/validation, validation.go (ValidateHTTPHeader…) and header_value_validator.go; Envoy's
"custom request/response headers".
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from meshconfig.admission.refusals import At, Refusals
from meshconfig.istio.matches import claim_path

_IS_NAME = re.compile(r"[-!#$%&'*+.^_`|~A-Za-z0-9]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PSEUDO = frozenset({":method", ":scheme", ":authority", ":path", ":status"})
_AUTHORITY = frozenset({":authority", "host"})

EMPTY = "a header's name is missing"


@lru_cache(maxsize=4096)  # routes ask for the same few again and again
def matched_name(name: str) -> str:
    """The name of a header, a pseudo-header or a JWT's claim in a match."""
    if not name:
        return EMPTY
    known = name in _PSEUDO or claim_path(name) is not None or _IS_NAME.fullmatch(name)
    return "" if known else f"{name!r} is not a header's name"


def cors_name(name: str) -> str:
    if not name:
        return EMPTY
    return "" if _IS_NAME.fullmatch(name) else f"{name!r} is not a header's name"


def is_authority(name: str) -> bool:
    return name.lower() in _AUTHORITY


def _written_name(name: str) -> str:
    internal = name.startswith(":") and not is_authority(name)
    return f"{name}: Envoy writes this header itself; delete it" if internal else "" if name else EMPTY


def _other_name(name: str) -> str:
    internal = name.startswith(":") or is_authority(name)
    return f"{name}: only requests' set and add take it; delete it" if internal else "" if name else EMPTY


def value_of(text: str) -> str:
    """A header's value, with Envoy's variables such as `%REQ(x-user)%` in it."""
    if _CONTROL.search(text):
        return "a header's value has no control characters"
    if "%" not in text:
        return ""
    why = _Variables(text).fault()
    return f"{text!r}: {why}; write %% for a plain %" if why else ""


class _Variables:
    """Reads a value as Envoy's parser did when Istio copied it, with each state's faults."""

    def __init__(self, text: str) -> None:
        self.text = text.encode()
        self.place = 0

    def fault(self) -> str:
        state: Callable[[int], Any] = self._literal
        while self.place < len(self.text):
            found = state(self.text[self.place])
            if isinstance(found, str):
                return found
            state = found or state
            self.place += 1
        return "" if state == self._literal else "a variable has no end"

    def _literal(self, char: int) -> Any:
        if char != ord("%"):
            return None
        if self.place + 1 == len(self.text):
            return "a % alone"
        if self.text[self.place + 1] == ord("%"):
            self.place += 1
            return None
        return self._name

    def _name(self, char: int) -> Any:
        return {ord("%"): self._literal, ord("("): self._arguments}.get(char)

    def _arguments(self, char: int) -> Any:
        return None if char == ord(" ") else self._item if char == ord("[") else self._string

    def _item(self, char: int) -> Any:
        return None if char == ord(" ") else self._string if char == ord('"') else "a variable's list lacks a \""

    def _string(self, char: int) -> Any:
        if char == ord("\\"):
            self.place += 1
            return None if self.place < len(self.text) else "a variable ends with a backslash"
        return {ord(")"): self._end, ord('"'): self._delimiter}.get(char)

    def _delimiter(self, char: int) -> Any:
        if char == ord(" "):
            return None
        return {ord(","): self._item, ord("]"): self._closing}.get(char, "a variable's list lacks a , or ]")

    def _closing(self, char: int) -> Any:
        return None if char == ord(" ") else self._end if char == ord(")") else "a variable lacks a )"

    def _end(self, char: int) -> Any:
        return None if char == ord(" ") else self._literal if char == ord("%") else "a variable lacks its second %"


def check_operations(headers: Mapping[str, Any] | None, at: At, out: Refusals) -> None:
    """`headers` of a route or a destination."""
    for side, operations in (headers or {}).items():
        if operations is None:
            continue
        written = _written_name if side == "request" else _other_name
        for verb in ("add", "set"):
            for name, value in (operations.get(verb) or {}).items():
                place = (((at, side), verb), name)
                out.bad(place, written(name))
                out.bad(place, value_of(value or ""))
        for number, name in enumerate(operations.get("remove") or ()):
            out.bad((((at, side), "remove"), number), _other_name(name))


def check_one_authority(route: Mapping[str, Any], at: At, out: Refusals) -> None:
    """The authority is written in one place alone: by `rewrite`, or by one header."""
    current = (route.get("rewrite") or {}).get("authority") or ""
    request = (route.get("headers") or {}).get("request") or {}
    for verb in ("set", "add"):
        for name, value in (request.get(verb) or {}).items():
            if not is_authority(name):
                continue
            if current:
                place = ((((at, "headers"), "request"), verb), name)
                out.contradiction(place, f"the authority is {current} already: write it in one place")
                return
            current = value or ""
