"""What is wrong with a request, told from its record and the states that the mesh was in meanwhile; none is excused."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from load import Chain, Sent

# For each tag the whole chains that are right: a chain is in or it is not, there is no half.
Allowed = Mapping[str, frozenset[Chain]]

FINE, FAILED, MIXED = "fine", "failed", "mixed"


@dataclass(frozen=True, slots=True)
class Step:
    """A change from one state to the next, begun and ended at these seconds of the monotonic clock. A request that
    touches that time may have the old chain or the new; one sent after it has the new."""

    name: str
    began: float
    ended: float
    before: Allowed
    after: Allowed


@dataclass(frozen=True, slots=True)
class Row:
    """The requests sent from the beginning of a step until the next. `reasons`: what went wrong, and how often."""

    name: str
    seconds: float
    sent: int
    failed: int
    mixed: int
    reasons: Mapping[str, int]


def verdict(one: Sent, allowed: Allowed) -> tuple[str, str]:
    """FINE, FAILED or MIXED, and the reason. A hop that did not answer makes a 200 of the first a failure too."""
    if one.error:
        return FAILED, one.error
    if one.status != 200:
        return FAILED, f"status {one.status}"
    if not one.chain or any(service is None for service, _ in one.chain):
        return FAILED, "a hop did not answer"
    if one.chain not in allowed[one.tag]:
        return MIXED, f"env: {one.tag or '-'} got {' '.join(str(version) for _, version in one.chain)}"
    return FINE, ""


def right(one: Sent, steps: Sequence[Step]) -> Allowed:
    """What `one` may get; `steps` in the order of time, each beginning in the state that the last one ended in."""
    touched = [step for step in steps if step.began <= one.ended and one.sent <= step.ended]
    if touched:
        both = [state for step in touched for state in (step.before, step.after)]
        return {one.tag: frozenset().union(*(state[one.tag] for state in both))}
    past = [step for step in steps if step.ended < one.sent]
    return past[-1].after if past else steps[0].before


def judge(requests: Iterable[Sent], steps: Sequence[Step]) -> list[Row]:
    """A row for each step."""
    wrong: list[Counter[tuple[str, str]]] = [Counter() for _ in steps]
    for one in requests:
        place = max((number for number, step in enumerate(steps) if step.began <= one.sent), default=0)
        wrong[place][verdict(one, right(one, steps))] += 1
    return [_row(step, counts) for step, counts in zip(steps, wrong, strict=True)]


def _row(step: Step, counts: Mapping[tuple[str, str], int]) -> Row:
    def number(kind: str) -> int:
        return sum(times for (verdict, _), times in counts.items() if verdict == kind)

    reasons = {reason: times for (verdict, reason), times in counts.items() if verdict != FINE}
    return Row(step.name, step.ended - step.began, sum(counts.values()), number(FAILED), number(MIXED), reasons)


def total(rows: Sequence[Row]) -> Row:
    reasons: Counter[str] = Counter()
    for row in rows:
        reasons.update(row.reasons)
    sent, failed, mixed = (sum(getattr(row, name) for row in rows) for name in ("sent", "failed", "mixed"))
    return Row("over all", sum(row.seconds for row in rows), sent, failed, mixed, reasons)


def wrong(rows: Iterable[Row]) -> str:
    """As text: for each step in which something was wrong, what, and how often."""
    lines = [f"  in '{row.name}': {times} × {reason}" for row in rows for reason, times in sorted(row.reasons.items())]
    return "\n".join(lines)


def table(title: str, rows: Sequence[Row]) -> str:
    """As text; under it, each kind of failure with its number."""
    lines = ["", f"{title:44} {'seconds':>8} {'requests':>9} {'failed':>7} {'mixed':>6}"]
    lines += [
        f"{row.name:44} {row.seconds:8.1f} {row.sent:9,} {row.failed:7,} {row.mixed:6,}" for row in (*rows, total(rows))
    ]
    lines += [f"  {times:6,} × {reason}" for reason, times in sorted(total(rows).reasons.items())]
    return "\n".join(lines)
