"""Diagrams of lanes and services: the version of each service that a lane selects, and where it falls back."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

from meshconfig.spec import LaneGroup, ServiceInGroup


@dataclass(frozen=True, slots=True)
class Cell:
    """What a lane gets at a service.

    Parameters:
        version: the version, or the versions that weights share; empty for a refusal.
        own: the version is the lane's own; False for the baseline's.
    """

    lane: str
    service: str
    version: str
    own: bool


def cells(group: LaneGroup) -> list[list[Cell]]:
    """A row of cells for each lane; in a row, services that call others come before the services that they call."""
    order = call_order(group)
    return [[_cell(lane, group.service(name)) for name in order] for lane in group.spec.lanes]


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


def mermaid(group: LaneGroup) -> str:
    """A Mermaid flowchart with a box for each lane; dashed services are those of the baseline."""
    lines = ["flowchart LR"]
    for number, row in enumerate(cells(group)):
        lines.append(f'  subgraph lane{number}["lane {row[0].lane}"]')
        lines += [f'    {_node(number, cell)}["{cell.service} / {cell.version or "503"}"]' for cell in row]
        lines.append("  end")
        lines += [f"  {edge}" for edge in _edges(group, number, row)]
        lines += [f"  style {_node(number, cell)} stroke-dasharray: 4 4" for cell in row if not cell.own]
    return "\n".join(lines) + "\n"


def _node(number: int, cell: Cell) -> str:
    return f"l{number}_{cell.service.replace('-', '_')}"


def _edges(group: LaneGroup, number: int, row: Iterable[Cell]) -> Iterator[str]:
    nodes = {cell.service: cell for cell in row}
    for name, cell in nodes.items():
        for called in group.spec.services[name].calls:
            arrow = "-->" if nodes[called].own else "-.->"
            yield f"{_node(number, cell)} {arrow} {_node(number, nodes[called])}"


WIDTH, HEIGHT, LEFT, TOP = 150, 56, 110, 44
COLOURS = ("#4c78a8", "#9c755f", "#59a14f", "#b07aa1", "#e15759", "#76b7b2", "#f28e2b", "#edc948")


def svg(group: LaneGroup) -> str:
    """A table as SVG: a column for each service, a row for each lane; a dashed cell is the baseline's version."""
    rows = cells(group)
    wide, high = LEFT + WIDTH * len(rows[0]) + 10, TOP + HEIGHT * len(rows) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
        'font-family="sans-serif" font-size="14" text-anchor="middle">',
        f'<rect width="{wide}" height="{high}" fill="white"/>',
    ]
    parts += [_text(LEFT + WIDTH * (x + 0.5), TOP - 16, cell.service, bold=True) for x, cell in enumerate(rows[0])]
    for y, row in enumerate(rows):
        parts.append(_text(LEFT / 2, TOP + HEIGHT * (y + 0.55), row[0].lane, bold=True))
        parts += [_box(x, y, cell, rows) for x, cell in enumerate(row)]
    return "\n".join([*parts, "</svg>", ""])


def _box(x: int, y: int, cell: Cell, rows: list[list[Cell]]) -> str:
    left, top = LEFT + WIDTH * x + 4, TOP + HEIGHT * y + 4
    names = list(dict.fromkeys(row[x].version for row in rows))
    colour = COLOURS[names.index(cell.version) % len(COLOURS)] if cell.version else "#888888"
    dash = "" if cell.own else ' stroke-dasharray="5 4"'
    return (
        f'<rect x="{left}" y="{top}" width="{WIDTH - 8}" height="{HEIGHT - 8}" rx="6" fill="{colour}" '
        f'fill-opacity="{0.25 if cell.own else 0.08}" stroke="{colour}"{dash}/>'
        + _text(left + WIDTH / 2 - 4, top + HEIGHT / 2, cell.version or "503")
    )


def _text(x: float, y: float, text: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}"{weight}>{escape(text)}</text>'
