"""When a preview lane ends: its `ttl` after its creation, or later where an annotation says so."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from meshconfig.spec.preview import KEEP_UNTIL, moment


@dataclass(frozen=True, slots=True)
class Expiry:
    """
    Parameters:
        at: when the controller deletes the lane, in UTC.
        wrong: what is wrong with the annotation, which then does not count; empty otherwise.
    """

    at: datetime
    wrong: str = ""


def expiry(created: datetime, ttl: float, keep_until: str | None) -> Expiry:
    """
    Parameters:
        created: with a time zone.
        ttl: seconds.
        keep_until: the annotation. It only prolongs: an earlier time than that of `ttl` changes nothing.
    """
    end = created + timedelta(seconds=ttl)
    if keep_until is None:
        return Expiry(end)
    until = moment(keep_until)
    if until is None:
        said = f"the annotation {KEEP_UNTIL} takes a time such as 2026-12-01T18:00:00Z, with its zone: {keep_until!r}"
        return Expiry(end, said)
    return Expiry(max(end, until))
