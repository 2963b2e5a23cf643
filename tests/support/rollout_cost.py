"""What a bad version cost those who did not ask for it, beside what the steps had promised."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from load import Sent
from rollout_command import Status

SURE = 5  # standard deviations that chance may add to a share


@dataclass(frozen=True)
class Cost:
    """Untagged requests: `sent` while the routes led to the bad version, `failed` of these, and `outside` of others."""

    seconds: float
    sent: int
    failed: int
    outside: int

    def most(self, weight: int, rate: int) -> float:
        """What was promised: `rate` percent of `weight` percent."""
        return self.sent * weight / 100 * rate / 100

    def within(self, weight: int, rate: int) -> bool:
        most = self.most(weight, rate)
        return self.outside == 0 and self.failed <= most + SURE * math.sqrt(most)

    def told(self, weight: int, rate: int) -> str:
        most = self.most(weight, rate)
        return (
            f"user-visible failures: {self.failed} of {self.sent} untagged requests in the {self.seconds:.1f} s that "
            f"the bad version served, {self.failed / self.sent:.2%}; promised: at most {weight} % × {rate} % = "
            f"{most / self.sent:.2%}, about {most:.1f}; before and after: {self.outside}"
        )


def cost(requests: Iterable[Sent], status: Status) -> Cost:
    """Of a rollout that went back; from its first change of routes to the end of the last."""
    log = status["log"]
    began = next(_seconds(one["at"]) for one in log if one["stage"] == "moving requests")
    ended = next(_seconds(one["at"]) for one in log if one["stage"] == "scaling back")
    untagged = [one for one in requests if not one.tag]
    served = [one for one in untagged if began <= one.ended and one.sent <= ended]
    failed = sum(one.status != 200 for one in served)
    return Cost(ended - began, len(served), failed, sum(one.status != 200 for one in untagged) - failed)


def _seconds(at: str) -> float:
    """A time of the log by the clock of `Sent`."""
    return datetime.fromisoformat(at).timestamp() - time.time() + time.monotonic()
