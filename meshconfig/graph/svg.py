"""Lanes as an SVG picture: a table with a row for each lane."""

from collections.abc import Iterator, Sequence
from html import escape

from meshconfig.graph.cells import Cell, cells, hosts_of, ways_in
from meshconfig.palette import LINE, REFUSED, colours
from meshconfig.spec import LaneGroup

# Sizes in the picture: a column and a row, a box in them, and the place of the first one.
COLUMN, ROW, BOX, TALL, LEFT, TOP = 180, 84, 128, 44, 330, 52
ENTRY, LANES, LEGEND = 190, 200, 34  # the width of an entry's box, where the lanes' names begin, the legend's height


def svg(group: LaneGroup) -> str:
    """A table as SVG: a column for each service and each consumer, a row for each lane, the entries before them.

    A lane has one colour in all of the picture; a dashed cell is the baseline's version, in the baseline's colour.
    Arrows are calls, and the ways from an entry into lanes, each with the share of a split or the reason.
    """
    rows = cells(group)
    colour = colours(group.spec.lanes, group.spec.tag.default)
    wide, high = LEFT + COLUMN * len(rows[0]), TOP + ROW * max(len(rows), len(group.spec.entries)) + 10 + LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
        'font-family="sans-serif" font-size="14" text-anchor="middle">',
        f'<rect width="{wide}" height="{high}" fill="white"/>',
        '<defs><marker id="to" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{LINE}"/></marker></defs>',
    ]
    parts += [_text(_left(x) + BOX / 2, 24, cell.service, bold=True) for x, cell in enumerate(rows[0])]
    parts += [
        _text(_left(x) + BOX / 2, 40, f"takes {cell.topic}", small=True) for x, cell in enumerate(rows[0]) if cell.topic
    ]
    for y, row in enumerate(rows):
        parts += [_arrow(_call(x, called, y)) for x, called in _calls(group, row)]
        name = _text((LANES + LEFT) / 2 - 12, _middle(y) - 12, row[0].lane, bold=True)
        parts.append(name.replace("<text ", f'<text fill="{colour[row[0].lane]}" ', 1))
        parts += [_box(x, y, cell, _colour(group, cell, colour)) for x, cell in enumerate(row)]
    parts += _entries(group)
    parts += _legend(rows, high - LEGEND / 2, colour[group.spec.tag.default])
    return "\n".join([*parts, "</svg>", ""])


def _left(x: int) -> float:
    return LEFT + COLUMN * x


def _middle(y: float) -> float:
    return TOP + ROW * (y + 0.5)


def _colour(group: LaneGroup, cell: Cell, colour: dict[str, str]) -> str:
    """The colour of the lane whose version answers."""
    return colour[cell.lane if cell.own else group.spec.tag.default] if cell.version else REFUSED


def _box(x: int, y: int, cell: Cell, colour: str) -> str:
    """A version's box; one outside the mesh has square corners, and the host below its name."""
    dash = "" if cell.own else ' stroke-dasharray="5 4"'
    long = len(cell.text) > 16
    parts = [
        f'<rect x="{_left(x):g}" y="{_middle(y) - TALL / 2:g}" width="{BOX}" height="{TALL}" '
        f'rx="{0 if cell.outside else 6}" fill="{colour}" '
        f'fill-opacity="{0.25 if cell.own else 0.08}" stroke="{colour}"{dash}/>',
        _text(_left(x) + BOX / 2, _middle(y) + (0 if cell.outside else 5), cell.text, small=long),
    ]
    if cell.outside:
        host = cell.outside if len(cell.outside) <= 21 else f"{cell.outside[:20]}…"
        parts.append(_text(_left(x) + BOX / 2, _middle(y) + 16, host, small=True))
    return "".join(parts)


def _legend(rows: Sequence[Sequence[Cell]], y: float, baseline: str) -> Iterator[str]:
    """What the boxes' lines and corners mean, as far as the picture has them."""
    every = [cell for row in rows for cell in row]
    shown = [("the lane's own version", baseline, "", 6)]
    if any(not cell.own and cell.version for cell in every):
        shown.append(("fallback to the baseline", baseline, ' stroke-dasharray="5 4"', 6))
    if any(not cell.version for cell in every):
        shown.append(("503: strict, no version", REFUSED, ' stroke-dasharray="5 4"', 6))
    if any(cell.outside for cell in every):
        shown.append(("outside the mesh", baseline, "", 0))
    for number, (text, colour, dash, corner) in enumerate(shown):
        x = 10 + 190 * number
        yield f'<rect x="{x}" y="{y - 8:g}" width="24" height="16" rx="{corner}" fill="none" stroke="{colour}"{dash}/>'
        yield _text(x + 30, y + 4, text, small=True).replace("<text ", '<text text-anchor="start" ', 1)


def _calls(group: LaneGroup, row: Sequence[Cell]) -> Iterator[tuple[int, int]]:
    """Pairs of columns: a service and one that it calls. A refused request calls nothing."""
    columns = {cell.service: x for x, cell in enumerate(row) if not cell.topic}
    for x, cell in enumerate(row):
        if cell.version and not cell.topic:
            yield from ((x, columns[called]) for called in group.spec.services[cell.service].calls)


def _call(x: int, called: int, y: int) -> str:
    """The line of a call: straight to the next column, else an arc above the boxes between."""
    if called == x + 1:
        return f"M{_left(x) + BOX:g} {_middle(y):g}L{_left(called):g} {_middle(y):g}"
    start, end, top = _left(x) + BOX * 0.7, _left(called) + BOX * 0.3, _middle(y) - TALL / 2
    return f"M{start:g} {top:g}C{start:g} {top - 22:g} {end:g} {top - 22:g} {end:g} {top:g}"


def _arrow(line: str) -> str:
    return f'<path d="{line}" fill="none" stroke="{LINE}" marker-end="url(#to)"/>'


def _entries(group: LaneGroup) -> Iterator[str]:
    """The entries' boxes, and from each a way to the lanes that requests enter."""
    lanes = list(group.spec.lanes)
    for number, entry in enumerate(group.spec.entries):
        middle, right = _middle(number), 10 + ENTRY - 24
        yield (
            f'<rect x="10" y="{middle - TALL / 2:g}" width="{ENTRY - 24}" height="{TALL}" rx="6" fill="white" '
            f'stroke="{LINE}"/>{_text(10 + (ENTRY - 24) / 2, middle + 5, hosts_of(entry))}'
        )
        for lane, why in ways_in(group, entry).items():
            y = _middle(lanes.index(lane))
            yield _arrow(f"M{right:g} {middle:g}L{LANES + 14:g} {y:g}L{_left(0):g} {y:g}")
            yield _text((LANES + LEFT) / 2 - 2, y + 14 + 13 * number, why, small=True)


def _text(x: float, y: float, text: str, *, bold: bool = False, small: bool = False) -> str:
    style = ' font-weight="bold"' if bold else ' font-size="11"' if small else ""
    return f'<text x="{x:g}" y="{y:g}"{style}>{escape(text)}</text>'
