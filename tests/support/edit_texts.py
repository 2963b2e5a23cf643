"""YAML texts in any hand that people have, and changes of what they say; each line knows what stands on it."""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

Path = tuple[str | int, ...]
KEYS = ("cat", "mouse", "v1", "v2", "v3", "labels", "weights", "on", "1", "a b", "é😀")
STRINGS = ("prod", "v1", "1", "yes", "null", "2s", "a: b", "x #y", "'", '"', "ü", "", "a, b", "{", "*x")


def values(chance: Random, depth: int = 3) -> Any:
    what = chance.choice(("scalar", "map", "map", "list")) if depth else "scalar"
    if what == "map":
        names = chance.sample(KEYS, chance.randint(0, 4))
        return {name: values(chance, depth - 1) for name in names}
    return [values(chance, depth - 1) for _ in range(chance.randint(0, 2))] if what == "list" else scalars(chance)


def scalars(chance: Random) -> Any:
    return chance.choice((*STRINGS, chance.randint(-3, 120), True, False, None))


def mappings(chance: Random) -> dict[str, Any]:
    return {name: values(chance) for name in chance.sample(KEYS, chance.randint(1, 4))}


def changes(chance: Random, value: Any) -> Any:
    """The same value with some fields gone, new or different, at any depth.

    None goes and comes again elsewhere: fields that stay keep their order, which no command changes.
    """
    if isinstance(value, dict):
        kept: dict[str, Any] = {}
        for name, part in value.items():
            what = chance.choice(("keep", "keep", "keep", "into", "into", "gone", "other"))
            if what == "into":
                kept[name] = changes(chance, part)
            elif what != "gone":
                kept[name] = part if what == "keep" else values(chance, 2)
        for name in chance.sample(KEYS, chance.choice((0, 0, 1, 2))):
            if name not in value:
                kept = _put(kept, name, values(chance, 2), chance.randint(0, len(kept)))
        return kept
    if isinstance(value, list):
        return [changes(chance, part) for part in value]
    return chance.choice((value, scalars(chance)))


def _put(value: dict[str, Any], name: str, new: Any, place: int) -> dict[str, Any]:
    pairs = list(value.items())
    return dict([*pairs[:place], (name, new), *pairs[place:]])


@dataclass
class Text:
    """`lines`: without line ends, each with the paths of what begins or ends there; for a line without anything, the
    path of what it is in. `braces`: the paths of what is written in braces or brackets."""

    lines: list[tuple[str, set[Path]]] = field(default_factory=list)
    inside: dict[int, Path] = field(default_factory=dict)
    braces: set[Path] = field(default_factory=set)
    newline: str = "\n"
    ends: bool = True

    def text(self) -> str:
        return self.newline.join(line for line, _ in self.lines) + (self.newline if self.ends else "")

    def add(self, text: str, *paths: Path) -> None:
        """More of the last line."""
        line, found = self.lines[-1]
        self.lines[-1] = (line + text, found | set(paths))

    def new(self, text: str = "", *paths: Path) -> None:
        self.lines.append((text, set(paths)))

    def lone(self, text: str, inside: Path) -> None:
        self.inside[len(self.lines)] = inside
        self.new(text)


class Writer:
    """Writes a value in a hand that is drawn."""

    def __init__(self, chance: Random, *, json_only: bool = False) -> None:
        self.chance, self.json = chance, json_only
        self.out = Text(newline=self.pick("\n", "\n", "\r\n"), ends=self.pick(True, False))

    def pick(self, *choices: Any) -> Any:
        return self.chance.choice(choices)

    def document(self, value: Any, path: Path) -> None:
        self.out.new()
        if self.json:
            self.braces(value, path, 0)
        else:
            if isinstance(value, dict | list) and value and self.pick(True, True, False):
                self.out.lines.pop()
                self.block(value, path, 0, first=None)
            else:
                self.braces(value, path, 0)
        self.comment()

    def scalar(self, value: Any) -> str:
        if not isinstance(value, str) or self.json:
            return json.dumps(value, ensure_ascii=False)
        plain = value.isalpha() and value not in ("yes", "null", "on")
        return self.pick(
            *((value,) if plain else ()), json.dumps(value, ensure_ascii=False), "'" + value.replace("'", "''") + "'"
        )

    def key(self, name: str) -> str:
        if self.json:
            return json.dumps(name, ensure_ascii=False)
        return (
            name
            if name.isalnum() and name not in ("on", "1") and self.pick(True, True, False)
            else json.dumps(name, ensure_ascii=False)
        )

    def comment(self) -> None:
        """At the end of the line, and lines of their own."""
        if self.json:
            return
        if self.pick(True, False, False, False):
            self.out.add(f"  # said of it {len(self.out.lines)}: {{x, 'y")

    def lone(self, column: int, path: Path) -> None:
        if self.json:
            return
        what = self.pick("", "", "", "", "blank", "comment", "outer")
        if what:
            number = len(self.out.lines)
            text = {
                "blank": "",
                "comment": " " * column + f"# of what comes {number}",
                "outer": f"# far left: {number}",
            }
            self.out.lone(text[what], path)

    def block(self, value: Any, path: Path, column: int, first: str | None) -> None:
        """`first` is what stands before the first item on its line, such as `- `."""
        is_map = isinstance(value, dict)
        for number, (name, part) in enumerate(value.items() if is_map else enumerate(value)):
            here = (*path, name)
            if number or first is None:
                self.lone(column, path)
                self.out.new(" " * column, here)
            self.out.add(f"{self.key(name)}:" if is_map else "-", here)
            if isinstance(part, dict | list) and part and self.pick(True, True, False):
                step = self.pick(2, 2, 4, 3)
                if not is_map and isinstance(part, dict) and self.pick(True, False):
                    self.out.add(" ")
                    self.block(part, here, column + 2, first="- ")
                else:
                    self.comment()
                    self.block(part, here, column + step, first=None)
            else:
                self.out.add(self.pick(" ", " ", "   "))
                self.braces(part, here, column + 2)
                self.comment()

    def braces(self, value: Any, path: Path, column: int) -> None:
        if not isinstance(value, dict | list):
            self.out.add(self.scalar(value), path)
            return
        is_map = isinstance(value, dict)
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        self.out.braces.add(path)
        lines = bool(value) and self.pick(True, False, False)
        self.out.add("{" if is_map else "[", path)
        pad = self.pick("", "", " ") if not lines else ""
        self.out.add(pad)
        for number, (name, part) in enumerate(parts):
            here = (*path, name)
            if lines and (number == 0 or self.pick(True, True, True, False)):
                self.comment()
                self.lone(column + 2, path)
                self.out.new(" " * (column + 2), here)
            elif number:
                self.out.add(self.pick(" ", " ", "  "))
            self.out.add(f"{self.key(name)}: " if is_map else "", here)
            self.braces(part, here, column + 4)
            last = number + 1 == len(value)
            if not last or (not self.json and lines and self.pick(True, False)):
                self.out.add(",", here)
        if lines:
            self.comment()
            self.out.new(" " * (column + 1), path)
        self.out.add(pad + ("}" if is_map else "]"), path)


def texts(chance: Random, value: Any, *, json_only: bool = False) -> Text:
    writer = Writer(chance, json_only=json_only)
    writer.document(value, ())
    return writer.out


def untouched(text: Text, old: Any, new: Any) -> list[str]:
    """The lines that have nothing to do with the change."""
    touched = dict(_touched(old, new, ()))
    return [line for number, (line, paths) in enumerate(text.lines) if not _may_change(text, number, paths, touched)]


def staying(text: Text, old: Any, new: Any) -> list[str]:
    """The comments on lines of their own that are not inside of something that goes or is replaced."""
    other = {path for path, what in _touched(old, new, ()) if what == "other"}
    lines = [(text.lines[number][0], inside) for number, inside in text.inside.items()]
    return [line.strip() for line, inside in lines if not other & {inside[:end] for end in range(len(inside) + 1)}]


def _touched(old: Any, new: Any, path: Path) -> Any:
    """(path, what): `other` its whole value, `fields` some came or went, `empty` all went."""
    if isinstance(old, dict) and isinstance(new, dict):
        if old.keys() != new.keys():
            yield path, "fields" if old.keys() & new.keys() else "empty"
        for name in old:
            if name in new:
                yield from _touched(old[name], new[name], (*path, name))
            else:
                yield (*path, name), "other"
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, part in enumerate(old):
            yield from _touched(part, new[number], (*path, number))
    elif old != new or type(old) is not type(new):
        yield path, "other"


def _may_change(text: Text, number: int, paths: set[Path], touched: dict[Path, str]) -> bool:
    if number in text.inside:
        inside = text.inside[number]
        above = [inside[:length] for length in range(len(inside) + 1)]
        return any(touched.get(one) == "other" for one in above) or (
            touched.get(inside) == "empty" or (touched.get(inside) == "fields" and inside in text.braces)
        )
    for path in paths:
        above = [path[:length] for length in range(len(path) + 1)]
        if any(touched.get(one) == "other" for one in above) or touched.get(path) == "empty":
            return True
        if path and isinstance(path[-1], int) and touched.get(path) == "fields":
            return True  # its first field stands beside the dash
        for one in (path, path[:-1]):
            if touched.get(one) in ("fields", "empty") and one in text.braces:
                return True
    return False
