"""Hypothesis strategies: real files of this repository with a few things wrong in them, as text and as values."""

import copy
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
SPECS = (
    "examples/**/graylane*.yaml",
    "examples/**/rollout*.yaml",
    "tests/golden/*/in.yaml",
    "tests/golden/plan/*/before.yaml",
)
MANIFESTS = ("k8s/**/*.yaml", "tests/golden/*/out.yaml", "tests/golden/examples/*.yaml")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

# What stands in files, in places where something else is wanted.
WORDS = (
    "", "a", "prod", "gray", "v1", "v1.next", "Cat", "*", "*.example.com", "cat-svc", "cat.demo.svc.cluster.local",
    "mesh", "demo/cat", "/", "//", ".*", "(", "a{9999}", "yes", "null", "~", "1", "-1", "0x10", "1:30", "1e999",
    "5s", "1h", "99999h", "a: b", "# x", "a b", "a\nb", "\x1b[31m", "::error::", "[bold]", "é", "😀", "\u202e",
    "\x00", "x" * 64, "x" * 300, "env", "baggage", "x-env", ":authority", "host", "10.1.2.3", "::1",
    "a" * 64 + ".example.com", "-", "=", "%zz", "{{ a }}",
)  # fmt: skip
SCALARS = (None, True, False, 0, 1, -1, 80, 100, 65536, 2**31, 2**63, 10**30, 1.5, -0.0, 1e300, *WORDS)
ODD = (*SCALARS, {}, [], [None], {"": None}, [[]], {"a": {"b": []}}, [1, 2], ["*"], {"exact": "a"}, {"regex": "("})
PIECES = (
    "\t", " ", "  ", "\n", "\r\n", ":", ": ", "-", "- ", "[", "]", "{", "}", ",", "'", '"', "#", " # ", "&a ", "*a",
    "<<: *a", "!!str ", "!x ", "---\n", "...\n", "%YAML 1.1\n", "|\n", ">-\n", "? ", "\ufeff", "\x07", "\\", "null",
    "~", "é", "😀",
)  # fmt: skip


@cache
def texts(*patterns: str) -> tuple[str, ...]:
    """The files of this repository that fit, in order. The chart's are templates, and no YAML yet."""
    found = sorted({file for one in patterns for file in ROOT.glob(one) if file.parent.name != "templates"})
    return tuple(file.read_text() for file in found)


@cache
def documents(*patterns: str) -> tuple[Any, ...]:
    """The mappings in these files."""
    every = (one for text in texts(*patterns) for one in yaml.load_all(text, LOADER))
    return tuple(one for one in every if isinstance(one, dict))


class Edit(NamedTuple):
    """One thing wrong with a text. `place` and `size` are taken modulo what there is."""

    what: str
    place: int
    size: int
    piece: str


PLACES = st.integers(0, 1 << 20)
EDITS = st.builds(
    Edit,
    st.sampled_from(("piece", "word", "cut", "line", "twice", "swap", "indent", "end")),
    PLACES,
    st.integers(0, 40),
    st.sampled_from((*PIECES, *WORDS)),
)


def edited(text: str, edit: Edit) -> str:
    lines = text.splitlines(keepends=True) or [""]
    row, place = edit.place % len(lines), edit.place % (len(text) + 1)
    match edit.what:
        case "piece":
            return text[:place] + edit.piece + text[place:]
        case "word":  # the rest of a line
            start = lines[row].find(": ") + 2
            lines[row] = f"{lines[row][:start]}{edit.piece}\n"
        case "cut":
            return text[:place] + text[place + edit.size :]
        case "line":
            del lines[row]
        case "twice":
            lines.insert(row, lines[row])
        case "swap":
            other = edit.size % len(lines)
            lines[row], lines[other] = lines[other], lines[row]
        case "indent":
            lines[row] = " " * (edit.size % 12) + lines[row].lstrip()
        case "end":
            return text[:place]
    return "".join(lines)


@st.composite
def mutated_texts(draw: st.DrawFn, found: Sequence[str], most: int = 5) -> str:
    """One of the texts, after a few edits."""
    text = draw(st.sampled_from(found))
    for edit in draw(st.lists(EDITS, max_size=most)):
        text = edited(text, edit)
    return text


def places(value: Any) -> list[tuple[Any, Any]]:
    """(mapping or list, key or index) of everything in a value."""
    found: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        here = stack.pop()
        for key in here if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else ():
            found.append((here, key))
            stack.append(here[key])
    return found


CHANGES = st.tuples(st.sampled_from(("put", "put", "gone", "name", "twice", "like", "more")), PLACES, PLACES)


def _changed(value: Any, change: tuple[str, int, int]) -> None:
    what, place, other = change
    found = places(value)
    if not found:
        return
    here, key = found[place % len(found)]
    odd = copy.deepcopy(ODD[other % len(ODD)])
    match what:
        case "put":
            here[key] = odd
        case "gone":
            del here[key]
        case "name" if isinstance(here, dict):
            here[WORDS[other % len(WORDS)]] = here.pop(key)
        case "twice" if isinstance(here, list):
            here.insert(key, copy.deepcopy(here[key]))
        case "like":  # another part of the same document
            there, name = found[other % len(found)]
            here[key] = copy.deepcopy(there[name])
        case "more" if isinstance(here, dict):
            here[WORDS[other % len(WORDS)]] = odd


@st.composite
def mutated_values(draw: st.DrawFn, found: Sequence[Any], most: int = 4) -> Any:
    """One of the values, after a few changes, each at any depth."""
    value = copy.deepcopy(draw(st.sampled_from(found)))
    for change in draw(st.lists(CHANGES, max_size=most)):
        _changed(value, change)
    return value


def as_yaml(*values: Any) -> str:
    return yaml.dump_all(values, Dumper=DUMPER, allow_unicode=True, sort_keys=False)


def as_json(value: Any) -> bytes:
    """As servers send it; what JSON has no word for is left to Python's."""
    return json.dumps(value, ensure_ascii=True).encode()
