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
    """Untagged requests: `sent` while the routes led to the bad version, of these `met` it and `failed`; and `outside`
    failed of the others."""

    seconds: float
    sent: int
    met: int
    failed: int
    outside: int

    def within(self, weight: int, rate: int) -> bool:
        """No more than `weight` percent met it, and no more than `rate` percent of these failed, but for chance."""
        few = self.met <= _most(self.sent, weight) and self.failed <= _most(self.sent, weight * rate / 100)
        return few and not self.outside

    def told(self, weight: int, rate: int) -> str:
        promised = weight * rate / 10000
        return (
            f"user-visible failures: {self.failed} of {self.sent} untagged requests in the {self.seconds:.1f} s that "
            f"the bad version served: {self.failed / self.sent:.2%}\n"
            f"promised by the steps: at most {weight} % × {rate} % = {promised:.2%}, about {promised * self.sent:.1f}; "
            f"{self.met / self.sent:.1%} met it; failed before or after: {self.outside}"
        )


def _most(number: int, percent: float) -> float:
    share = percent / 100
    return number * share + SURE * math.sqrt(number * share * (1 - share))


def cost(requests: Iterable[Sent], bad: str, status: Status) -> Cost:
    """Of a rollout that went back; from its first change of routes to the end of the last."""
    log = status["log"]
    began = next(_seconds(one["at"]) for one in log if one["stage"] == "moving requests")
    ended = next(_seconds(one["at"]) for one in log if one["stage"] == "scaling back")
    untagged = [one for one in requests if not one.tag]
    served = [one for one in untagged if began <= one.ended and one.sent <= ended]
    failed = sum(one.status != 200 for one in served)
    met = failed + sum(any(version == bad for _, version in one.chain) for one in served)
    return Cost(ended - began, len(served), met, failed, sum(one.status != 200 for one in untagged) - failed)


def _seconds(at: str) -> float:
    """A time of the log by the clock of `Sent`."""
    return datetime.fromisoformat(at).timestamp() - time.time() + time.monotonic()
