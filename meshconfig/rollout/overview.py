"""What lists and metrics show of a rollout. A state may take a megabyte, and there may be thousands of them."""

from dataclasses import dataclass
from datetime import datetime

from meshconfig.rollout.state import Phase, Stage, State


@dataclass(frozen=True, slots=True)
class Overview:
    """A rollout in short.

    Parameters:
        applied: percent of untagged requests that the new versions get.
        step, steps: steps that are done, and steps in all.
        entry: the number of the newest entry of the log; 0 for none.
        weight: what a look at it takes, as `store.Record.weight`.
    """

    namespace: str
    name: str
    group: str
    phase: Phase
    stage: Stage
    applied: int
    step: int
    steps: int
    begun: datetime
    entry: int
    weight: int = 0

    @classmethod
    def of(cls, state: State, weight: int = 0) -> "Overview":
        spec, metadata = state.rollout.spec, state.rollout.metadata
        return cls(
            metadata.namespace, state.name, spec.group, state.phase, state.stage, state.applied, state.step,
            len(spec.steps), state.begun, state.log[-1].number if state.log else 0, weight,
        )  # fmt: skip

    @property
    def age(self) -> tuple[datetime, int]:
        """Sorts what was seen of one rollout: the latest comes last."""
        return self.begun, self.entry
