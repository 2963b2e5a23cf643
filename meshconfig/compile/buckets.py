"""Buckets: a user's number, and which share has which numbers. Pure arithmetic.

A share is a run of buckets, so that raising it moves whole buckets to it from its neighbour and from nobody else.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby

ENDS = 2  # names that can have buckets beside the base: one from 0 up, one from the last down


def owners(shares: Mapping[str, int], base: str, order: Sequence[str], buckets: int) -> tuple[str, ...]:
    """Whose each bucket is, by its number.

    Each share beside the base's is rounded to the nearest number of buckets; what is left is the base's. Both ends
    together fit: their exact shares come to less than all buckets, and rounding adds at most a half to each. Where the
    base has no share, what the first name leaves is the other's.

    Parameters:
        shares: relative to each other; at least one is above 0.
        order: the name whose buckets begin at 0, then the one whose buckets end at the last; one, both or none. The
            base in it keeps an end free.
    """
    low, high = (*order, "", "")[:ENDS]
    total = sum(shares.values())
    first, last = (0 if name == base else _rounded(shares.get(name, 0), total, buckets) for name in (low, high))
    if not shares.get(base):
        last = buckets - first
    return (low,) * first + (base,) * (buckets - first - last) + (high,) * last


def _rounded(share: int, total: int, buckets: int) -> int:
    return (2 * share * buckets + total) // (2 * total)


def ends(named: Sequence[str], shares: Mapping[str, int], base: str) -> list[str]:
    """The names in the order in which they get an end; more than two where there are too many.

    Parameters:
        named: the order that somebody wrote. A name in it keeps its end while it has no share, the base keeps one free.
    """
    others = sorted(name for name in shares if name not in (base, *named))
    every = [*named, *others]
    if len(every) > ENDS:
        every = [name for name in every if name in shares and name != base]
    return every if len(every) <= ENDS else [name for name in every if shares[name]]


def numbers(first: int, last: int) -> str:
    """A regular expression for the whole numbers from first to last, below 100, without leading zeros."""
    tens: dict[str, list[int]] = {}
    for number in range(first, last + 1):
        tens.setdefault(str(number)[:-1], []).append(number % 10)
    alike = groupby(tens.items(), key=lambda ten: (bool(ten[0]), ten[1][0], ten[1][-1]))
    return "|".join(_class([ten for ten, _ in group]) + _digits(low, high) for (_, low, high), group in alike)


def _class(tens: Sequence[str]) -> str:
    return _digits(int(tens[0]), int(tens[-1])) if tens[0] else ""


def _digits(low: int, high: int) -> str:
    return str(low) if low == high else f"[{low}-{high}]"
