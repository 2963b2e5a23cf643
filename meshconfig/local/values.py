"""Values that Istio and Envoy write differently: durations, shares, typed configurations."""

from typing import Any

from meshconfig.duration import go_seconds
from meshconfig.istio.destinations import millionths
from meshconfig.local.config import Json


def typed(name: str, /, **fields: Any) -> Json:
    """A message in an `Any`; `name` without the leading `type.googleapis.com/envoy.`."""
    return {"@type": f"type.googleapis.com/envoy.{name}", **fields}


def duration(text: str) -> str:
    """A duration as Envoy reads it, in seconds: `1m30s` is `90s`.

    Raises:
        ValueError: not a duration as Go writes it.
    """
    return f"{go_seconds(text):.9f}".rstrip("0").rstrip(".") + "s"


def share(percentage: Any) -> Json:
    """Istio's `Percent` (0 to 100, with fractions) as Envoy's fraction."""
    return fraction(millionths(percentage))


def fraction(millionths: int) -> Json:
    """A share of all, as Envoy writes it."""
    return {"numerator": millionths, "denominator": "MILLION"}
