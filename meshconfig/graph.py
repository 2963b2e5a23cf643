"""Diagrams of lanes, services and consumers of messages: the version that a lane selects, and where it falls back."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from meshconfig.compile.sticky import lane_owners
from meshconfig.spec import ConsumerInGroup, Entry, LaneGroup, ServiceInGroup


@dataclass(frozen=True, slots=True)
class Cell:
    """What a lane gets at a service, or who consumes its messages.

    Parameters:
        service: the name of the service, or of the consumer.
        version: the version, or the versions that weights share; empty for a refusal.
        own: the version is the lane's own; False for the baseline's.
        topic: of a consumer, what it consumes; empty for a service.
    """

    lane: str
    service: str
    version: str
    own: bool
    topic: str = ""


def cells(group: LaneGroup) -> list[list[Cell]]:
    """A row of cells for each lane: services, those that call others before those that they call, then consumers."""
    services = list(map(group.service, call_order(group)))
    consumers = list(map(group.consumer, group.spec.consumers))
    return [
        [*(_cell(lane, one) for one in services), *(_consumer(lane, one) for one in consumers)]
        for lane in group.spec.lanes
    ]


def call_order(group: LaneGroup) -> list[str]:
    """The names of the services, callers first. Services that call each other in a cycle stay in the spec's order."""
    services = group.spec.services
    order: list[str] = []
    ready = [name for name in services if not any(name in other.calls for other in services.values())]
    while len(order) < len(services):
        name = ready.pop(0) if ready else next(name for name in services if name not in order)
        order.append(name)
        callers = {
            called: [each for each in services if called in services[each].calls] for called in services[name].calls
        }
        ready += [
            called
            for called, by in callers.items()
            if called not in order and called not in ready and all(each in order for each in by)
        ]
    return order


def _cell(lane: str, service: ServiceInGroup) -> Cell:
    if version := service.version_in(lane):
        return Cell(lane, service.name, version, own=True)
    if service.refuses(lane):
        return Cell(lane, service.name, "", own=False)
    return Cell(lane, service.name, service.baseline or " / ".join(service.spec.weights or {}), own=False)


def _consumer(lane: str, consumer: ConsumerInGroup) -> Cell:
    version = consumer.version_in(lane)
    return Cell(lane, consumer.name, version or consumer.baseline, version is not None, consumer.spec.topic)


def mermaid(group: LaneGroup) -> str:
    """A Mermaid flowchart with a box for each lane; dashed services are those of the baseline."""
    lines = ["flowchart LR"]
    for number, row in enumerate(cells(group)):
        lines.append(f'  subgraph lane{number}["lane {row[0].lane}"]')
        lines += [f"    {_node(number, cell)}{_shape(cell)}" for cell in row]
        lines.append("  end")
        lines += [f"  {edge}" for edge in _edges(group, number, row)]
        lines += [f"  style {_node(number, cell)} stroke-dasharray: 4 4" for cell in row if not cell.own]
    return "\n".join(lines) + "\n"


def _node(number: int, cell: Cell) -> str:
    kind = "q" if cell.topic else "l"
    return f"{kind}{number}_{cell.service.replace('-', '_')}"


def _shape(cell: Cell) -> str:
    """A box for a service, a cylinder for a consumer."""
    text = f"{cell.service} / {cell.version or '503'}"
    return f'[("{text}<br>takes {cell.topic}")]' if cell.topic else f'["{text}"]'


def _edges(group: LaneGroup, number: int, row: Iterable[Cell]) -> Iterator[str]:
    nodes = {cell.service: cell for cell in row if not cell.topic}
    for name, cell in nodes.items():
        for called in group.spec.services[name].calls:
            arrow = "-->" if nodes[called].own else "-.->"
            yield f"{_node(number, cell)} {arrow} {_node(number, nodes[called])}"


# Sizes in the picture: a column and a row, a box in them, and the place of the first one.
COLUMN, ROW, BOX, TALL, LEFT, TOP = 180, 84, 128, 44, 330, 52
ENTRY, LANES = 190, 200  # the width of an entry's box, and where the lanes' names begin
COLOURS = ("#4c78a8", "#9c755f", "#59a14f", "#b07aa1", "#e15759", "#76b7b2", "#f28e2b", "#edc948")
REFUSED = "#888888"


def svg(group: LaneGroup) -> str:
    """A table as SVG: a column for each service and each consumer, a row for each lane, the entries before them.

    A lane has one colour in all of the picture; a dashed cell is the baseline's version, in the baseline's colour.
    Arrows are calls, and the ways from an entry into lanes, each with the share of a split or the reason.
    """
    rows = cells(group)
    wide, high = LEFT + COLUMN * len(rows[0]), TOP + ROW * max(len(rows), len(group.spec.entries)) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
        'font-family="sans-serif" font-size="14" text-anchor="middle">',
        f'<rect width="{wide}" height="{high}" fill="white"/>',
        '<defs><marker id="to" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#555555"/></marker></defs>',
    ]
    parts += [_text(_left(x) + BOX / 2, 24, cell.service, bold=True) for x, cell in enumerate(rows[0])]
    parts += [
        _text(_left(x) + BOX / 2, 40, f"takes {cell.topic}", small=True) for x, cell in enumerate(rows[0]) if cell.topic
    ]
    for y, row in enumerate(rows):
        parts += [_arrow(_call(x, called, y)) for x, called in _calls(group, row)]
        name = _text((LANES + LEFT) / 2 - 12, _middle(y) - 12, row[0].lane, bold=True)
        parts.append(name.replace("<text ", f'<text fill="{COLOURS[y % len(COLOURS)]}" ', 1))
        parts += [_box(x, y, cell, _colour(group, cell)) for x, cell in enumerate(row)]
    parts += _entries(group, rows[0])
    return "\n".join([*parts, "</svg>", ""])


def _left(x: int) -> float:
    return LEFT + COLUMN * x


def _middle(y: float) -> float:
    return TOP + ROW * (y + 0.5)


def _colour(group: LaneGroup, cell: Cell) -> str:
    """The colour of the lane whose version answers."""
    if not cell.version:
        return REFUSED
    lane = cell.lane if cell.own else group.spec.tag.default
    return COLOURS[list(group.spec.lanes).index(lane) % len(COLOURS)]


def _box(x: int, y: int, cell: Cell, colour: str) -> str:
    dash = "" if cell.own else ' stroke-dasharray="5 4"'
    return (
        f'<rect x="{_left(x):g}" y="{_middle(y) - TALL / 2:g}" width="{BOX}" height="{TALL}" rx="6" fill="{colour}" '
        f'fill-opacity="{0.25 if cell.own else 0.08}" stroke="{colour}"{dash}/>'
        + _text(_left(x) + BOX / 2, _middle(y) + 5, cell.version or "503")
    )


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
    return f'<path d="{line}" fill="none" stroke="#555555" marker-end="url(#to)"/>'


def _entries(group: LaneGroup, row: Sequence[Cell]) -> Iterator[str]:
    """The entries' boxes, and from each a way to the lanes that requests enter."""
    lanes = list(group.spec.lanes)
    for number, entry in enumerate(group.spec.entries):
        middle, right = _middle(number), 10 + ENTRY - 24
        yield (
            f'<rect x="10" y="{middle - TALL / 2:g}" width="{ENTRY - 24}" height="{TALL}" rx="6" fill="white" '
            f'stroke="#555555"/>{_text(10 + (ENTRY - 24) / 2, middle + 5, _hosts(entry.hosts))}'
        )
        for lane, why in _ways_in(group, entry).items():
            y = _middle(lanes.index(lane))
            yield _arrow(f"M{right:g} {middle:g}L{LANES + 14:g} {y:g}L{_left(0):g} {y:g}")
            yield _text((LANES + LEFT) / 2 - 2, y + 14 + 13 * number, why, small=True)


def _hosts(hosts: Sequence[str]) -> str:
    shown = hosts[0] if len(hosts[0]) <= 20 else f"{hosts[0][:19]}…"
    return shown if len(hosts) == 1 else f"{shown} +{len(hosts) - 1}"


def _ways_in(group: LaneGroup, entry: Entry) -> dict[str, str]:
    """How requests enter each lane at an entry: by its tag, by a rule, and the share of those that have neither."""
    tag = group.spec.tag
    split = {lane: share for lane, share in (entry.split or {tag.default: 1}).items() if share}
    if entry.sticky and entry.split:
        split = Counter(lane_owners(entry.sticky, entry.split, group))
    found: dict[str, list[str]] = {lane: [] for lane in group.spec.lanes}
    for lane, ways in found.items():
        if lane in split:
            ways.append(f"{100 * split[lane] / sum(split.values()):.3g} %")
        if any(admit.lane == lane for admit in entry.admit):
            ways.append("admit")
        if entry.tag == "trusted":
            ways.append("tag")
        ways += [way for way, offered in (("cookie", entry.cookie), ("host", entry.lane_hosts)) if offered]
    return {lane: ", ".join(ways) for lane, ways in found.items() if ways}


def _text(x: float, y: float, text: str, *, bold: bool = False, small: bool = False) -> str:
    style = ' font-weight="bold"' if bold else ' font-size="11"' if small else ""
    return f'<text x="{x:g}" y="{y:g}"{style}>{escape(text)}</text>'
