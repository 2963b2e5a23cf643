"""Values that Istio and Envoy write differently: durations, shares, typed configurations."""

import re
from typing import Any

from meshconfig.istio.destinations import millionths
from meshconfig.local.config import Json

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_PART = re.compile(r"([0-9.]+)(ms|us|ns|h|m|s)")
_DURATION = re.compile(rf"({_PART.pattern})+")


def typed(name: str, /, **fields: Any) -> Json:
    """A message in an `Any`; `name` without the leading `type.googleapis.com/envoy.`."""
    return {"@type": f"type.googleapis.com/envoy.{name}", **fields}


def duration(text: str) -> str:
    """A duration as Envoy reads it, in seconds: `1m30s` is `90s`.

    Raises:
        ValueError: not a duration as Go writes it.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def share(percentage: Any) -> Json:
    """Istio's `Percent` (0 to 100, with fractions) as Envoy's fraction."""
    return fraction(millionths(percentage))


def fraction(millionths: int) -> Json:
    """A share of all, as Envoy writes it."""
    return {"numerator": millionths, "denominator": "MILLION"}
