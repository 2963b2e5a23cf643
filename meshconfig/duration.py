"""Lengths of time as people, Go and Prometheus write them: `30s`, `5m`, `1h30m`, `1.5d`.

The grammar is whole or decimal numbers of `ms`, `s`, `m`, `h` and `d`, one or several, in any order. Istio takes no
`d`; `written` gives the forms that it takes.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

# For `re` and, as they stand, for a JSON Schema; the second leaves out 0.
PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"
POSITIVE = PATTERN.replace("^", "^(?=.*[1-9])")
UNITS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86_400)}  # seconds
SHORTEST, LONGEST = Decimal("0.001"), Decimal(366 * 86_400)  # seconds

# Go's time.ParseDuration, without signs: what stands in Istio's resources, whoever wrote them.
_GO = r"^(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$"
_MICROSECOND = Decimal("0.000001")
_GO_UNITS = {**UNITS, "us": _MICROSECOND, "µs": _MICROSECOND, "μs": _MICROSECOND, "ns": Decimal("0.000000001")}


def seconds(text: str) -> float:
    """A duration in seconds, exact to the millisecond; `0s` is 0.

    Raises:
        ValueError: not of the grammar, or neither 0 nor from 1 ms to 366 days.
    """
    if not re.fullmatch(PATTERN, text):
        raise ValueError(f"takes a duration such as 30s, 5m or 1h30m, not {text!r}")
    found = _sum(text, UNITS)
    if found and not SHORTEST <= found <= LONGEST:
        raise ValueError(f"takes a duration from 1ms to 366d, not {text}")
    return float(round(found, 3))


def go_seconds(text: str) -> Decimal:
    """A duration as Go writes it, in seconds, exact to the nanosecond.

    Raises:
        ValueError: Go does not take it as a duration that is not negative.
    """
    if not re.fullmatch(_GO, text):
        raise ValueError(f"{text!r} is not a duration")
    return _sum(text, _GO_UNITS)


def written(seconds: float) -> str:
    """Seconds as Go, Istio and Prometheus take them: 90 is `1m30s`, a day is `24h`."""
    left, text = round(seconds * 1000), ""
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        text += f"{left // size}{unit}" if left >= size else ""
        left %= size
    return text or "0s"


def _sum(text: str, units: Mapping[str, Decimal]) -> Decimal:
    parts = re.findall(r"([0-9.]+)([^0-9.]+)", text)
    return sum((Decimal(number) * units[unit] for number, unit in parts), Decimal())
