"""Where istiod's debug pages can be read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reach:
    """Which istiod answered; `reason` says why none did, or why not all."""

    istiods: tuple[str, ...]
    reason: str = ""
