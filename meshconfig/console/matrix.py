"""The table of lanes × services, as a page shows a part of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from meshconfig.cluster.status import How, Lane, ServiceState, VersionState
from meshconfig.console.sources.source import GroupView
from meshconfig.palette import colours

ROWS = 50  # services on a page
COLUMNS = 8  # lanes on a page


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person wants to see.

    Parameters:
        service, lane: parts of names; empty for all.
        own: only services of which a lane that is shown has a version of its own.
        page, lanes: pages, from 1.
    """

    service: str = ""
    lane: str = ""
    own: bool = False
    page: int = 1
    lanes: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A service.

    Parameters:
        cells: what it is for each lane that is shown.
        short: versions that have fewer ready Pods than they want.
    """

    service: ServiceState
    untagged: Lane | None
    cells: Sequence[Lane | None]
    short: Sequence[VersionState]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A part of the table. `services` and `lanes_found` count what fits the search; pages count from 1."""

    lanes: Sequence[str]
    colours: dict[str, str]
    rows: Sequence[Row]
    services: int
    lanes_found: int
    page: int
    pages: int
    lane_page: int
    lane_pages: int


def matrix(view: GroupView, choice: Choice) -> Matrix:
    """The part of a group's table that a person has chosen. A page that there is not becomes the nearest."""
    lanes = [one for one in view.lanes if choice.lane.lower() in one.lower()]
    lane_pages = max(1, -(-len(lanes) // COLUMNS))
    lane_page = min(max(1, choice.lanes), lane_pages)
    shown = lanes[(lane_page - 1) * COLUMNS : lane_page * COLUMNS]
    found = [one for one in view.services if choice.service.lower() in one.name.lower()]
    if choice.own:
        others = {*shown} - {view.baseline}
        found = [
            one for one in found if any(lane.name in others and lane.how is not How.FALLBACK for lane in one.lanes)
        ]
    pages = max(1, -(-len(found) // ROWS))
    page = min(max(1, choice.page), pages)
    rows = [_row(one, shown) for one in found[(page - 1) * ROWS : page * ROWS]]
    coloured = colours(view.lanes, view.baseline)
    return Matrix(shown, coloured, rows, len(found), len(lanes), page, pages, lane_page, lane_pages)


def _has_own(service: ServiceState, lanes: set[str]) -> bool:
    return any(lane.name in lanes and lane.how is not How.FALLBACK for lane in service.lanes)


def _row(service: ServiceState, shown: Sequence[str]) -> Row:
    lanes = {lane.name: lane for lane in service.lanes}
    short = [one for one in service.versions if one.is_short]
    return Row(service, lanes.get(None), [lanes.get(name) for name in shown], short)
