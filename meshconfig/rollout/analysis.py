"""From measurements to the verdict on a step: pass, fail or no data.

A metric is measured each `every` from the start of an analysis, and once more at its end. It fails at `failures` failed
measurements, in a row or not: Flagger's `threshold` counts like this, and Argo Rollouts' `failureLimit` is one less. It
passes by the measurement at the end, or else by the first one after it that passes. Four measurements in a row without
data (the errors that Argo's `consecutiveErrorLimit` forgives by default) are no data.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from meshconfig.bounded import clip
from meshconfig.rollout.actions import Ask
from meshconfig.rollout.queries import per_service
from meshconfig.spec.rollout import Metric, Rollout

SILENT = 4
RECENT = 40  # measurements of a metric that are kept, for people
LONGEST_READING = 500  # bytes of the reason why there is no data; it may be a server's text


class Answer(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    NO_DATA = "no data"


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reading(Frozen):
    """One measurement.

    Parameters:
        service: empty for a query that names none.
        value: None where there is no data.
        why: for people.
    """

    metric: str
    service: str = ""
    answer: Answer
    value: float | None = None
    why: str = ""

    @property
    def key(self) -> str:
        return key(self.metric, self.service)


class Tally(Frozen):
    """What a metric has shown so far.

    Parameters:
        failed: failed measurements; `silent`: measurements without data, in a row.
        settled: it has passed, and is not measured any more.
        at, last: the last measurement.
        recent: the values of the last measurements, the newest last; None where there was no data.
    """

    failed: int = 0
    silent: int = 0
    settled: bool = False
    at: datetime | None = None
    last: Reading | None = None
    recent: tuple[float | None, ...] = ()


Tallies = Mapping[str, Tally]


class AnalysisResult(Frozen):
    answer: Answer
    why: str


def key(metric: str, service: str) -> str:
    return f"{metric}/{service}" if service else metric


def judge(metric: Metric, service: str, value: float | None, why: str = "") -> Reading:
    """Compares a value with the limits of its metric.

    Parameters:
        why: the reason, where there is no value.
    """
    if value is None or not math.isfinite(value):
        text = clip(why or f"{value} is not a number to compare", LONGEST_READING)
        return Reading(metric=metric.name, service=service, answer=Answer.NO_DATA, why=text)
    low = metric.min is not None and value < metric.min
    high = metric.max is not None and value > metric.max
    text = f"{value:g} is below min {metric.min:g}" if low else f"{value:g} is above max {metric.max:g}" if high else ""
    answer = Answer.FAIL if low or high else Answer.PASS
    return Reading(metric=metric.name, service=service, answer=answer, value=value, why=text or f"{value:g}")


def subjects(rollout: Rollout) -> Iterator[tuple[Metric, str]]:
    """Each metric, for each service where its query names one."""
    for metric in rollout.spec.analysis.metrics if rollout.spec.analysis else ():
        for service in rollout.spec.services if per_service(metric) else ("",):
            yield metric, service


def asks(rollout: Rollout, tallies: Tallies, since: datetime, end: datetime) -> tuple[Ask, ...]:
    """The next measurement of each metric that has not settled.

    Parameters:
        since, end: of the analysis; `end` is a time of measuring too.
    """
    found = []
    for metric, service in subjects(rollout):
        tally = tallies.get(key(metric.name, service), Tally())
        if not tally.settled:
            last = tally.at or since
            following = last + timedelta(seconds=metric.every)
            found.append(Ask(metric.name, service, min(following, end) if last < end else following))
    return tuple(found)


def count(
    rollout: Rollout, tallies: Tallies, readings: tuple[Reading, ...], since: datetime, end: datetime, now: datetime
) -> Tallies:
    """Adds readings to the tallies. A reading that was not asked for, or is not due yet, does not count: two runners
    may have measured."""
    due = {key(ask.metric, ask.service) for ask in asks(rollout, tallies, since, end) if ask.at <= now}
    counted = dict(tallies)
    for reading in readings:
        if reading.key in due:
            due.remove(reading.key)
            counted[reading.key] = _counted(tallies.get(reading.key, Tally()), reading, now, end)
    return counted


def _counted(before: Tally, reading: Reading, now: datetime, end: datetime) -> Tally:
    return Tally(
        failed=before.failed + (reading.answer is Answer.FAIL),
        silent=before.silent + 1 if reading.answer is Answer.NO_DATA else 0,
        settled=reading.answer is Answer.PASS and now >= end,
        at=now,
        last=reading,
        recent=(*before.recent, reading.value)[-RECENT:],
    )


def verdict(rollout: Rollout, tallies: Tallies) -> AnalysisResult | None:
    """The verdict on the analysis; None while it is open.

    One metric that fails decides. Else one without data does, and only then do passes count.
    """
    found = [(metric, tallies.get(key(metric.name, service), Tally())) for metric, service in subjects(rollout)]
    if failed := [one for metric, one in found if one.failed >= metric.failures]:
        return AnalysisResult(answer=Answer.FAIL, why=_told(failed))
    if silent := [one for _, one in found if one.silent >= SILENT]:
        return AnalysisResult(answer=Answer.NO_DATA, why=_told(silent))
    if found and all(one.settled for _, one in found):
        return AnalysisResult(answer=Answer.PASS, why=_told([one for _, one in found]))
    return None


def failures_alone(tallies: Tallies) -> Tallies:
    """The tallies for the next weight of `auto`: it is measured anew, and earlier failures stay counted."""
    return {name: Tally(failed=one.failed) for name, one in tallies.items() if one.failed}


def newly_failed(before: Tallies, after: Tallies) -> str:
    """The metrics that have failed since, for people; empty for none."""
    return _told([one for name, one in after.items() if one.failed > before.get(name, Tally()).failed])


def _told(tallies: list[Tally]) -> str:
    return "; ".join(f"{one.last.key}: {one.last.why}" for one in tallies if one.last)
