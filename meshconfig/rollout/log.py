"""What an entry of a rollout's log records, typed; and its text, as it is stored, shown and sent."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator


class LogKind(StrEnum):
    """What happened. The values are stored, and are the values of the metric label `action`."""

    START = "start"
    TAKE_UP = "take up"
    PODS_READY = "pods ready"
    WEIGHT = "weight"
    OLD_PODS_GONE = "old pods gone"
    TIME_OVER = "time over"
    ANALYSIS_PASSED = "analysis passed"
    ANALYSIS_FAILED = "analysis failed"
    MEASUREMENT_FAILED = "measurement failed"
    NO_DATA = "no data"
    APPROVE = "approve"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    ROLLBACK = "rollback"
    SUPERSEDE = "supersede"
    PODS_FAILED = "pods failed"
    APPLY_FAILED = "apply failed"
    TAKEN_OVER = "taken over"
    OLD_RETIRED = "old retired"

    @property
    def failure(self) -> bool:
        return self in _FAILURES


_FAILURES = frozenset({LogKind.ANALYSIS_FAILED, LogKind.MEASUREMENT_FAILED, LogKind.PODS_FAILED, LogKind.APPLY_FAILED})


@dataclass(frozen=True, slots=True)
class LogAction:
    """A kind, and for `WEIGHT` the percent of untagged requests that the new versions get from then on.

    `str` gives its text: `pods ready`, `weight 35`.
    """

    kind: LogKind
    weight: int | None = None

    def __str__(self) -> str:
        return self.kind.value if self.weight is None else f"{self.kind.value} {self.weight}"

    @classmethod
    def parse(cls, value: Any) -> "LogAction":
        """Reads the text that `str` gives.

        Stored states and webhook messages have had this text since the first version. It is kept, so that a command
        line and a runner of different versions read each other's states; nothing else reads it.

        Raises:
            ValueError: it is not the text of an action.
        """
        if isinstance(value, LogAction):
            return value
        word, _, weight = str(value).rpartition(" ")
        if word == LogKind.WEIGHT and weight.isdecimal():
            return cls(LogKind.WEIGHT, int(weight))
        if value == LogKind.WEIGHT:
            raise ValueError("a weight without its number")
        return cls(LogKind(value))


# A field of a stored model: typed in memory, text in JSON.
StoredLogAction = Annotated[LogAction, PlainValidator(LogAction.parse), PlainSerializer(str, return_type=str)]
