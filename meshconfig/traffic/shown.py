"""What a picture and a table show of flows."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from meshconfig.carry import UNTAGGED
from meshconfig.graph.svg import Measured
from meshconfig.spec import LaneGroup
from meshconfig.traffic.flow import Flow, falls_back

_FAILING = 0.01  # share of errors from which a picture has an edge in bold


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Parameters:
        caller: `service/version`; empty for requests from outside.
        fallback: another version than the lane's own answered.
        outside: the callee's host outside the mesh; empty for one inside.
    """

    lane: str
    caller: str
    callee: str
    rate: float
    errors: float
    p95: float | None
    fallback: bool = False
    outside: str = ""


def rows(group: LaneGroup, flows: Iterable[Flow]) -> list[Row]:
    """The flows as rows, by lane in the spec's order; requests of no lane come last."""
    order = {lane: number for number, lane in enumerate(group.spec.lanes)}
    found = [
        Row(
            *(one.lane, str(one.caller or ""), str(one.callee), one.rate, one.errors, one.p95),
            fallback=falls_back(group, one.lane, one.callee),
            outside=_outside(group, one),
        )
        for one in flows
    ]
    return sorted(found, key=lambda one: order.get(one.lane, len(order)))


def _outside(group: LaneGroup, flow: Flow) -> str:
    service = group.spec.services.get(flow.callee.service)
    version = service.versions.get(flow.callee.version) if service else None
    return (version.host or "") if version else ""


def arrows(group: LaneGroup, flows: Iterable[Flow]) -> dict[tuple[str, str, str], Measured]:
    """What the picture has at its arrows: the flows of each lane, by the services at their ends.

    Requests without a tag are in the baseline's lane, as the routes have them.
    """
    found: dict[tuple[str, str, str], list[Flow]] = defaultdict(list)
    for one in flows:
        lane = group.spec.tag.default if one.lane == UNTAGGED else one.lane
        if lane in group.spec.lanes:
            end = (one.caller.service, one.callee.service) if one.caller else ("", "")
            found[lane, *end].append(one)
    return {key: _measured(those) for key, those in found.items() if sum(one.rate for one in those) > 0}


def _measured(flows: Sequence[Flow]) -> Measured:
    rate = sum(one.rate for one in flows)
    errors = sum(one.errors * one.rate for one in flows) / rate
    # Quantiles cannot be added: of several versions the slowest one's is shown.
    slowest = max((one.p95 for one in flows if one.p95 is not None), default=None)
    lines = (f"{number(rate)}/s", f"{share(errors)} errors", *([f"p95 {number(slowest)} ms"] if slowest else []))
    return Measured(rate, lines, failing=errors >= _FAILING)


def number(value: float) -> str:
    """Three digits, or all of a large number's before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def share(value: float) -> str:
    """A percentage that is never rounded to none or to all."""
    if value in (0, 1):
        return f"{value:.0%}".replace("%", " %")
    percent = min(max(value * 100, 0.01), 99.99)
    return f"{percent:.4g} %" if percent > 99 else f"{percent:.2g} %"
