"""Lengths of time as people, Go and Prometheus write them: `30s`, `5m`, `1h30m`; in the models, seconds."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints

PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def _seconds(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(PATTERN, value):
        raise ValueError(f"takes a duration such as 30s, 5m or 1h30m, not {value!r}")
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", value)
    return round(sum(float(number) * UNITS[unit] for number, unit in parts), 3)


def duration(seconds: float) -> str:
    """Seconds as they are written: 90 is `1m30s`."""
    left, text = round(seconds * 1000), ""
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        text += f"{left // size}{unit}" if left >= size else ""
        left %= size
    return text or "0s"


_Written = Annotated[str, StringConstraints(pattern=PATTERN)]
Seconds = Annotated[float, BeforeValidator(_seconds, json_schema_input_type=_Written), PlainSerializer(duration)]
Period = Annotated[Seconds, Field(gt=0)]
