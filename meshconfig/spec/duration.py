"""Types for the durations in a spec. `meshconfig.duration` defines the grammar and its bounds."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from meshconfig.duration import PATTERN, POSITIVE, seconds, written


def _seconds(value: Any) -> float:
    if not isinstance(value, str):  # YAML's 30 is a number
        raise ValueError(f"takes a duration such as 30s, 5m or 1h30m, not {value!r}")
    return seconds(value)


def _positive(found: float) -> float:
    if not found:
        raise ValueError("takes a duration from 1ms to 366d, not 0")
    return found


def _as_go_writes(value: Any) -> str:
    """The text as it was written; a duration with days is converted, because Istio has no unit for days."""
    found = _seconds(value)
    return written(found) if "d" in value else str(value)


def _positive_text(text: str) -> str:
    _positive(seconds(text))
    return text


def _schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern}, mode="validation")


# Durations that graylane uses itself become seconds. `DurationOrZero` is for fields where `0s` means "at once".
DurationOrZero = Annotated[float, BeforeValidator(_seconds), PlainSerializer(written), _schema(PATTERN)]
Duration = Annotated[
    float, BeforeValidator(_seconds), AfterValidator(_positive), PlainSerializer(written), _schema(POSITIVE)
]

# Durations that go into Istio's resources stay text. `IstioDurationOrZero` is for fields where Istio accepts `0s`.
IstioDurationOrZero = Annotated[str, BeforeValidator(_as_go_writes), _schema(PATTERN)]
IstioDuration = Annotated[str, BeforeValidator(_as_go_writes), AfterValidator(_positive_text), _schema(POSITIVE)]
