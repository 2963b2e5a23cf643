"""Small charts as SVG, in the colours of the page's text: steps over time, and a metric's values with its limits."""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import groupby

from markupsafe import Markup

WIDE, HIGH, EDGE = 320, 64, 4


def steps(points: Sequence[tuple[float, float]], end: float, name: str) -> Markup:
    """A value that stays until it changes, from 0 to 100.

    Parameters:
        points: times in seconds, with the value from then on.
        end: the time of the right edge.
        name: what a screen reader says.
    """
    begin = points[0][0] if points else end
    wide = max(end - begin, 1.0)
    parts, last = [], 0.0
    for number, (at, value) in enumerate(points):
        x = _x((at - begin) / wide)
        parts.append(f"{'M' if not number else 'L'}{x:.1f} {_y(last / 100):.1f}L{x:.1f} {_y(value / 100):.1f}")
        last = value
    line = "".join(parts) + f"L{_x(1):.1f} {_y(last / 100):.1f}" if parts else ""
    return _chart(name, [f'<path d="{line}" fill="none" stroke="currentColor" stroke-width="2"/>'] if line else [])


def values(found: Sequence[float | None], low: float | None, high: float | None, name: str) -> Markup:
    """Measurements from the oldest to the newest; gaps are those without data.

    Parameters:
        low, high: the limits within which a measurement passes.
    """
    known = [one for one in (*found, low, high) if one is not None]
    bottom, top = min(known, default=0.0), max(known, default=1.0)
    tall = (top - bottom) or 1.0

    def y(value: float) -> float:
        return _y((value - bottom) / tall)

    parts = [
        f'<path d="M0 {y(limit):.1f}H{WIDE}" stroke="currentColor" stroke-dasharray="4 3" opacity="0.7"/>'
        for limit in (low, high)
        if limit is not None
    ]
    parts += _line(found, y)
    return _chart(name, parts)


def _line(found: Sequence[float | None], y: Callable[[float], float]) -> Iterator[str]:
    count = max(len(found) - 1, 1)
    for there, those in groupby(enumerate(found), key=lambda pair: pair[1] is not None):
        if there:
            at = [(_x(number / count), y(value)) for number, value in those if value is not None]
            line = "L".join(f"{x:.1f} {height:.1f}" for x, height in at)
            yield f'<path d="M{line}" fill="none" stroke="currentColor" stroke-width="2"/>'
            yield from (f'<circle cx="{x:.1f}" cy="{height:.1f}" r="2.5" fill="currentColor"/>' for x, height in at)


def _x(share: float) -> float:
    return EDGE + share * (WIDE - 2 * EDGE)


def _y(share: float) -> float:
    return HIGH - EDGE - share * (HIGH - 2 * EDGE)


def _chart(name: str, parts: Sequence[str]) -> Markup:
    return Markup(
        f'<svg class="chart" role="img" aria-label="{escape(name)}" viewBox="0 0 {WIDE} {HIGH}" width="{WIDE}" '
        f'height="{HIGH}">{"".join(parts)}</svg>'
    )
