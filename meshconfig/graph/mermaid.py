"""Lanes as a Mermaid flowchart, for Markdown pages."""

from collections.abc import Iterable, Iterator, Sequence

from meshconfig.graph.cells import Cell, cells, hosts_of, ways_in
from meshconfig.palette import LINE, REFUSED, colours
from meshconfig.spec import LaneGroup


def mermaid(group: LaneGroup) -> str:
    """A Mermaid flowchart with a box for each lane, in the lane's colour, and the ways from the entries into lanes.

    Dashed services are those of the baseline; a legend says so.
    """
    rows = cells(group)
    colour = colours(group.spec.lanes, group.spec.tag.default)
    lines = ["flowchart LR"]
    for number, row in enumerate(rows):
        lines.append(f'  subgraph lane{number}["lane {row[0].lane}"]')
        lines += [f"    {_node(number, cell)}{_shape(cell)}" for cell in row]
        lines.append("  end")
        lines += [f"  {edge}" for edge in _edges(group, number, row)]
        lines += [f"  style {_node(number, cell)} {_style(cell, group, colour)}" for cell in row]
        lines.append(f"  style lane{number} stroke:{colour[row[0].lane]},stroke-width:2px")
    lines += [f"  {line}" for line in (*_entries(group), *_legend(rows))]
    return "\n".join(lines) + "\n"


def _node(number: int, cell: Cell) -> str:
    kind = "q" if cell.topic else "l"
    return f"{kind}{number}_{cell.service.replace('-', '_')}"


def _shape(cell: Cell) -> str:
    """A box for a service, a cylinder for a consumer, a hexagon for a service outside the mesh."""
    text = f"{cell.service} / {cell.text}"
    if cell.topic:
        return f'[("{text}<br>takes {cell.topic}")]'
    return f'{{{{"{text}<br>{cell.outside}"}}}}' if cell.outside else f'["{text}"]'


def _style(cell: Cell, group: LaneGroup, colour: dict[str, str]) -> str:
    """The colour of the lane whose version answers; dashed if that is the baseline's for another lane."""
    answers = colour[cell.lane if cell.own else group.spec.tag.default] if cell.version else REFUSED
    return f"stroke:{answers}" + ("" if cell.own else ",stroke-dasharray: 4 4")


def _edges(group: LaneGroup, number: int, row: Iterable[Cell]) -> Iterator[str]:
    nodes = {cell.service: cell for cell in row if not cell.topic}
    for name, cell in nodes.items():
        for called in group.spec.services[name].calls:
            arrow = "-->" if nodes[called].own else "-.->"
            yield f"{_node(number, cell)} {arrow} {_node(number, nodes[called])}"


def _entries(group: LaneGroup) -> Iterator[str]:
    """The entries, and from each an arrow into each lane that requests enter, with their share or the reason."""
    lanes = list(group.spec.lanes)
    for number, entry in enumerate(group.spec.entries):
        yield f'e{number}(["{hosts_of(entry)}"])'
        for lane, why in ways_in(group, entry).items():
            yield f'e{number} -->|"{why}"| lane{lanes.index(lane)}'


def _legend(rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    every = [cell for row in rows for cell in row]
    yield "subgraph legend"
    yield '  k0["the lane\'s own version"]'
    if any(not cell.own and cell.version for cell in every):
        yield '  k1["fallback to the baseline"]'
    if any(not cell.version for cell in every):
        yield '  k2["503: strict, no version here"]'
    if any(cell.outside for cell in every):
        yield '  k3{{"outside the mesh"}}'
    if any(cell.topic for cell in every):
        yield '  k4[("consumer of messages")]'
    yield "end"
    yield f"style legend stroke:{LINE},fill:none"
    if any(not cell.own and cell.version for cell in every):
        yield "style k1 stroke-dasharray: 4 4"
    if any(not cell.version for cell in every):
        yield f"style k2 stroke:{REFUSED},stroke-dasharray: 4 4"
