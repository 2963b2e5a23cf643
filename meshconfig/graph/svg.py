"""Lanes as an SVG picture: a table with a row for each lane."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from meshconfig.graph.cells import Cell, cells, hosts_of, ways_in
from meshconfig.palette import LINE, REFUSED, colours
from meshconfig.spec import LaneGroup

# Sizes in the picture: a box, and the place of the first one.
BOX, TALL, LEFT, TOP = 128, 44, 330, 52
ENTRY, LANES, LEGEND = 190, 200, 34  # the width of an entry's box, where the lanes' names begin, the legend's height
PLAIN, MEASURED = (180, 84), (236, 112)  # a column and a row, without and with what was measured
THICKEST = 6.0  # of an arrow's line, for a thousand requests a second


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a call, or of the requests that enter a lane.

    Parameters:
        rate: requests a second.
        lines: the texts at the arrow.
        failing: requests fail.
    """

    rate: float
    lines: tuple[str, ...]
    failing: bool = False


Measures = Mapping[tuple[str, str, str], Measured]  # by lane, caller ("" for requests from outside) and callee


def svg(group: LaneGroup, measures: Measures | None = None) -> str:
    """A table as SVG: a column for each service and each consumer, a row for each lane, the entries before them.

    A lane has one colour in all of the picture; a dashed cell is the baseline's version, in the baseline's colour.
    Arrows are calls, and the ways from an entry into lanes, each with the share of a split or the reason.

    Parameters:
        measures: for a live picture: the calls with what was measured, in the lanes' colours; others are faint.
    """
    return _Picture(group, measures).text()


class _Picture:
    def __init__(self, group: LaneGroup, measures: Measures | None) -> None:
        self.group, self.measures = group, measures or {}
        self.live = measures is not None
        self.rows = cells(group)
        self.colour = colours(group.spec.lanes, group.spec.tag.default)
        self.column, self.row = MEASURED if self.live else PLAIN
        tall = max(len(self.rows), len(group.spec.entries))
        self.wide, self.high = LEFT + self.column * len(self.rows[0]), TOP + self.row * tall + 10 + LEGEND

    def text(self) -> str:
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.wide} {self.high}" width="{self.wide}" '
            f'height="{self.high}" font-family="sans-serif" font-size="14" text-anchor="middle">',
            f'<rect width="{self.wide}" height="{self.high}" fill="white"/>',
            '<defs><marker id="to" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
            f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="{LINE}"/></marker></defs>',
        ]
        parts += [_text(self._left(x) + BOX / 2, 24, cell.service, bold=True) for x, cell in enumerate(self.rows[0])]
        parts += [
            _text(self._left(x) + BOX / 2, 40, f"takes {cell.topic}", small=True)
            for x, cell in enumerate(self.rows[0])
            if cell.topic
        ]
        for y, row in enumerate(self.rows):
            parts += self._lane(y, row)
        parts += self._entries()
        parts += self._legend(self.high - LEGEND / 2)
        return "\n".join([*parts, "</svg>", ""])

    def _lane(self, y: int, row: Sequence[Cell]) -> Iterator[str]:
        lane = row[0].lane
        for x, called in self._calls(row):
            yield from self._call(x, called, y, row)
        at, middle = (LANES + LEFT) / 2 - 12, self._middle(y)
        yield _text(at, middle - 12, lane, bold=True).replace("<text ", f'<text fill="{self.colour[lane]}" ', 1)
        if entering := self.measures.get((lane, "", "")):
            yield from _lines(at, middle - 28 - 12 * (len(entering.lines) - 1), entering)
        yield from (self._box(x, y, cell) for x, cell in enumerate(row))

    def _left(self, x: int) -> float:
        return LEFT + self.column * x

    def _middle(self, y: float) -> float:
        return TOP + self.row * (y + 0.5)

    def _box(self, x: int, y: int, cell: Cell) -> str:
        """A version's box; one outside the mesh has square corners, and the host below its name."""
        # The colour of the lane whose version answers.
        colour = self.colour[cell.lane if cell.own else self.group.spec.tag.default] if cell.version else REFUSED
        dash = "" if cell.own else ' stroke-dasharray="5 4"'
        left, middle, long = self._left(x), self._middle(y), len(cell.text) > 16
        parts = [
            f'<rect x="{left:g}" y="{middle - TALL / 2:g}" width="{BOX}" height="{TALL}" '
            f'rx="{0 if cell.outside else 6}" fill="{colour}" '
            f'fill-opacity="{0.25 if cell.own else 0.08}" stroke="{colour}"{dash}/>',
            _text(left + BOX / 2, middle + (0 if cell.outside else 5), cell.text, small=long),
        ]
        if cell.outside:
            host = cell.outside if len(cell.outside) <= 21 else f"{cell.outside[:20]}…"
            parts.append(_text(left + BOX / 2, middle + 16, host, small=True))
        return "".join(parts)

    def _calls(self, row: Sequence[Cell]) -> Iterator[tuple[int, int]]:
        """Pairs of columns: a service and one that it calls. A refused request calls nothing.

        What was measured is shown also where the spec does not have the call.
        """
        columns = {cell.service: x for x, cell in enumerate(row) if not cell.topic}
        for x, cell in enumerate(row):
            if cell.topic:
                continue
            known = self.group.spec.services[cell.service].calls if cell.version else ()
            seen = (callee for lane, caller, callee in self.measures if (lane, caller) == (cell.lane, cell.service))
            yield from ((x, columns[called]) for called in dict.fromkeys([*known, *seen]) if called in columns)

    def _call(self, x: int, called: int, y: int, row: Sequence[Cell]) -> Iterator[str]:
        """The line of a call: straight to the next column, else an arc above the boxes between."""
        lane, measured = row[x].lane, self.measures.get((row[x].lane, row[x].service, row[called].service))
        middle = self._middle(y)
        if called == x + 1:
            line = f"M{self._left(x) + BOX:g} {middle:g}L{self._left(called):g} {middle:g}"
            at = (self._left(x) + BOX + self._left(called)) / 2, middle - 8
        else:
            start, end, top = self._left(x) + BOX * 0.7, self._left(called) + BOX * 0.3, middle - TALL / 2
            line = f"M{start:g} {top:g}C{start:g} {top - 22:g} {end:g} {top - 22:g} {end:g} {top:g}"
            at = (start + end) / 2, top - 20
        yield _arrow(line, self.colour[lane] if measured else LINE, measured, faint=self.live and not measured)
        if measured:
            yield from _lines(at[0], at[1] - 12 * (len(measured.lines) - 1), measured)

    def _legend(self, y: float) -> Iterator[str]:
        """What the boxes' lines and corners mean, as far as the picture has them."""
        baseline = self.colour[self.group.spec.tag.default]
        every = [cell for row in self.rows for cell in row]
        shown = [("the lane's own version", baseline, "", 6)]
        if any(not cell.own and cell.version for cell in every):
            shown.append(("fallback to the baseline", baseline, ' stroke-dasharray="5 4"', 6))
        if any(not cell.version for cell in every):
            shown.append(("503: strict, no version", REFUSED, ' stroke-dasharray="5 4"', 6))
        if any(cell.outside for cell in every):
            shown.append(("outside the mesh", baseline, "", 0))
        for number, (text, colour, dash, corner) in enumerate(shown):
            x, top = 10 + 190 * number, y - 8
            yield (
                f'<rect x="{x}" y="{top:g}" width="24" height="16" rx="{corner}" fill="none" stroke="{colour}"{dash}/>'
            )
            yield _text(x + 30, y + 4, text, small=True).replace("<text ", '<text text-anchor="start" ', 1)

    def _entries(self) -> Iterator[str]:
        """The entries' boxes, and from each a way to the lanes that requests enter."""
        lanes = list(self.group.spec.lanes)
        for number, entry in enumerate(self.group.spec.entries):
            middle, right = self._middle(number), 10 + ENTRY - 24
            yield (
                f'<rect x="10" y="{middle - TALL / 2:g}" width="{ENTRY - 24}" height="{TALL}" rx="6" fill="white" '
                f'stroke="{LINE}"/>{_text(10 + (ENTRY - 24) / 2, middle + 5, hosts_of(entry))}'
            )
            for lane, why in ways_in(self.group, entry).items():
                y = self._middle(lanes.index(lane))
                yield _arrow(f"M{right:g} {middle:g}L{LANES + 14:g} {y:g}L{self._left(0):g} {y:g}")
                yield _text((LANES + LEFT) / 2 - 2, y + 14 + 13 * number, why, small=True)


def _arrow(line: str, colour: str = LINE, measured: Measured | None = None, *, faint: bool = False) -> str:
    width = f' stroke-width="{_width(measured.rate):.2g}"' if measured else ""
    opacity = ' opacity="0.35"' if faint else ""
    return f'<path d="{line}" fill="none" stroke="{colour}"{width}{opacity} marker-end="url(#to)"/>'


def _width(rate: float) -> float:
    return min(THICKEST, 1 + (THICKEST - 1) * math.log1p(rate) / math.log1p(1000))


def _lines(x: float, y: float, measured: Measured) -> Iterator[str]:
    for number, line in enumerate(measured.lines):
        yield _text(x, y + 12 * number, line, small=True, bold=measured.failing)


def _text(x: float, y: float, text: str, *, bold: bool = False, small: bool = False) -> str:
    style = (' font-weight="bold"' if bold else "") + (' font-size="11"' if small else "")
    return f'<text x="{x:g}" y="{y:g}"{style}>{escape(text)}</text>'
