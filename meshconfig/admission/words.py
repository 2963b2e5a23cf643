"""The words for what a schema refuses: what stands there, what is wanted, and how to write it, in YAML."""

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Protocol

from meshconfig.admission.refusals import At
from meshconfig.errors import nearest, shown

UNITS = {"Length": "characters", "Items": "items", "Properties": "keys"}
FEW = 12  # words of an enumeration that are listed
SHORT = 70  # characters of an example that still reads well in one line
_PLAIN = re.compile(r"[A-Za-z0-9_./][-A-Za-z0-9_./*@]*")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "~"}
# The field that most probably takes a value for which its author left the mapping out.
_BARE = ("exact", "host", "number", "value", "name", "simple")
_EXAMPLES = {
    "destination": "destination: {host: reviews}",
    "host": "host: reviews",
    "hosts": "hosts: [reviews.example.com]",
    "port": "port: {number: 80, name: http, protocol: HTTP}",
    "sniHosts": "sniHosts: [reviews.example.com]",
    "match": "match: [{sniHosts: [reviews.example.com]}]",
    "status": "status: 503",
    "duration": "duration: 30s",
    "protocol": "protocol: HTTP",
    "number": "number: 80",
}


class Place(Protocol):
    """What the words need of a node of a schema."""

    @property
    def wanted(self) -> str: ...

    @property
    def entry(self) -> Mapping[str, Any]: ...

    def below(self, part: str | int) -> "Place | None": ...


def listed(names: Sequence[str], word: str = "or") -> str:
    """`a, b or c`."""
    return f"{', '.join(names[:-1])} {word} {names[-1]}" if len(names) > 1 else "".join(names)


def span(least: float | None, most: float | None) -> str:
    if least is None:
        return f"at most {most}"
    return f"{least} or more" if most is None else f"{least} to {most}"


def not_of(value: str, allowed: Sequence[str]) -> str:
    """For a value that is not one of an enumeration. Of a long one only the nearest is named, if there is one."""
    known = {one.lower(): one for one in allowed}
    close = get_close_matches(value.lower(), known, n=1, cutoff=0.6)
    meant = f"; did you mean {known[close[0]]}?" if close else ""
    return (
        f"takes {listed(allowed)}, not {value!r}{meant}"
        if len(allowed) <= FEW or not close
        else f"Istio has no {value!r}{meant}"
    )


def example_of(field: str) -> str:
    """How a field is written, after a text that asks for it."""
    return f": {_EXAMPLES[field]}" if field in _EXAMPLES else ""


def unknown_field(root: Place, manifest: Any, path: Sequence[str | int]) -> str:
    """For a field that the mapping around it does not have: where it belongs, or how it is spelt."""
    *parts, name = path
    around: list[tuple[str, Place]] = [("the top", root)]
    value = manifest
    for part in parts:
        value, inner = value[part], around[-1][1].below(part)
        assert inner is not None  # the schema came this way
        around.append((str(part) if isinstance(part, str) else around[-1][0], inner))
    here = around[-1][1]
    known = here.entry["fields"]
    if where := _empty_beside(here, str(name), value):
        return f"unknown field; it belongs to {where}: indent it below that"
    if not get_close_matches(str(name), known, n=1):
        if inside := _inside(here, str(name), value):
            return f"unknown field here; it belongs to {inside}"
        for outer, place in reversed(around[:-1]):
            if name in place.entry.get("fields", ()):
                return f"unknown field here; it belongs to {outer}, further out: indent it less"
    return f"unknown field{nearest(str(name), known)}"


def _inside(here: Place, name: str, beside: Mapping[str, Any]) -> str:
    """The field, of those given beside, or the only one of all, whose mapping or items have a field of this name."""
    holders = {other: inner for other in here.entry["fields"] if (inner := here.below(other)) and _holds(inner, name)}
    given = [other for other in holders if other in beside]
    deeper = [other for other in here.entry["fields"] if (inner := here.below(other)) and _holds_deeper(inner, name)]
    chosen = given or (list(holders) if len(holders) == 1 and not deeper else [])
    if not chosen:
        return ""
    if holders[chosen[0]].wanted == "array":
        return f"the items of {chosen[0]}"
    return f"{listed(chosen)}: {chosen[0]}: {{{name}: …}}"


def _holds(place: Place, name: str) -> bool:
    inner = place.below(0) if place.wanted == "array" else place
    return inner is not None and name in inner.entry.get("fields", ())


def _holds_deeper(place: Place, name: str) -> bool:
    inner = place.below(0) if place.wanted == "array" else place
    return inner is not None and any(
        (one := inner.below(field)) and _holds(one, name) for field in inner.entry.get("fields", ())
    )


def _empty_beside(here: Place, name: str, beside: Mapping[str, Any]) -> str:
    """The empty field beside a field that lost its indentation, if it belongs there."""
    for other, value in beside.items():
        inner = here.below(other) if value is None else None
        if inner is not None and name in inner.entry.get("fields", ()):
            return other
    return ""


def wrong_type(node: Place, at: At, value: Any) -> str:
    """For a value of another type than its node takes."""
    lead = f"{at[1]}: " if at is not None and isinstance(at[1], str) else "- "
    numeric = isinstance(value, str) and bool(_NUMBER.fullmatch(value))
    match node.wanted:
        case "array":
            return _with("a list is wanted", f"{lead}[{flow(value)}]", "put a dash before each item")
        case "object" | "map":
            return _mapping(node, lead, value)
        case "string":
            return _string(node, lead, value)
        case "boolean":
            return _bare("true or false", lead, value, quoted=value in ("true", "false"))
    return _bare("a whole number" if isinstance(value, float) else "a number", lead, value, quoted=numeric)


def _mapping(node: Place, lead: str, value: Any) -> str:
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], dict):
            return _with("a mapping is wanted, not a list", f"{lead}{flow(value[0])}", "remove the dash")
        return "a mapping is wanted, not a list"
    for name in _BARE:
        inner = node.below(name) if name in node.entry.get("fields", ()) else None
        if name == "exact" and inner is not None:
            return f"say how: {lead}{{exact: {flow(value if isinstance(value, str) else shown(value))}}}"
        if inner is not None and (inner.wanted == "string") == isinstance(value, str):
            return f"a mapping is wanted: {lead}{{{name}: {flow(value)}}}"
    return f"a mapping is wanted, not {shown(value)}"


def _string(node: Place, lead: str, value: Any) -> str:
    if isinstance(value, dict | list):
        only = value[0] if isinstance(value, list) and len(value) == 1 else None
        hint = f": {lead}{flow(only)}" if isinstance(only, str) else ""
        return f"one string is wanted, not {shown(value)}{hint}"
    if value is None:
        return "a string is wanted, not nothing: delete the dash"
    if "duration" in node.entry.get("formats", ()) and not isinstance(value, bool):
        return f"a duration with its unit is wanted: {lead}{value}s"
    return f'a string is wanted; quote it: {lead}"{shown(value)}"'


def _bare(what: str, lead: str, value: Any, *, quoted: bool) -> str:
    if quoted:
        return f"{what} is wanted, not a string: remove the quotes: {lead}{value}"
    return f"{what} is wanted, not {shown(value)}"


def _with(text: str, example: str, instead: str) -> str:
    """A text with its example, or what to do where that would be too long."""
    return f"{text}: {example if len(example) <= SHORT else instead}"


def flow(value: Any) -> str:
    """A value in YAML's flow style."""
    match value:
        case dict():
            return "{" + ", ".join(f"{flow(name)}: {flow(part)}" for name, part in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case str() if _PLAIN.fullmatch(value) and not _NUMBER.fullmatch(value) and value.lower() not in _WORDS:
            return value
    return json.dumps(value, ensure_ascii=False)
