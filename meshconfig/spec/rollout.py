"""`kind: Rollout`: the steps that move the requests of one or several services from one version to another."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from meshconfig.errors import nearest
from meshconfig.spec.base import DnsLabel, Items, Strict, WorkloadName, said
from meshconfig.spec.document import ClusterObject
from meshconfig.spec.duration import Duration, DurationOrZero
from meshconfig.spec.group import EntryHost

PLACEHOLDERS = ("version", "service", "namespace", "workload", "host", "interval")
PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_.]*)\s*\}\}")
MOST_PODS = 2**31 - 1  # Kubernetes, Deployment: `replicas` is an int32
STEP = ("weight", "replicas", "pause", "analysis", "auto")


def _replicas(value: Any) -> Any:
    percent = re.fullmatch(r"([0-9]{1,3})%", value) if isinstance(value, str) else None
    if percent and 1 <= int(percent[1]) <= 100:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_PODS:
        return value
    raise ValueError(f"takes a number of Pods from 1 to {MOST_PODS}, or a share from '1%' to '100%', not {value!r}")


_PERCENT = said("^[0-9]{1,3}%$", "a number of Pods, or a share of them such as 25%")
# The pattern of a lane's name, and its words.
_METRIC = r"^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$"
_SERVER = said(r"^https?://[^/?#\s]+[^?#\s]*$", "the URL of Prometheus, such as http://prometheus.monitoring:9090")
_SECRET = said(r"^[-._a-zA-Z0-9]+$", "the key of a Secret: letters, digits, -, _ and .")
_URL = said(r"^https?://[^/?#\s]+\S*$", "a URL that begins with http:// or https://")
_Count = Annotated[int, Field(ge=1, le=MOST_PODS)] | Annotated[str, StringConstraints(pattern=_PERCENT)]
Replicas = Annotated[int | str, BeforeValidator(_replicas, json_schema_input_type=_Count)]
Percent = Annotated[int, Field(ge=0, le=100)]


class Move(Strict):
    """The old and the new version of one service; both exist in the LaneGroup."""

    from_: Annotated[DnsLabel, Field(alias="from")]
    to: DnsLabel

    @model_validator(mode="after")
    def _moves(self) -> "Move":
        if self.from_ == self.to:
            raise ValueError(f"from and to are both {self.to}: nothing would move")
        return self


class Pause(Strict):
    """Waits until a person approves, or for a time; an approval ends the time early."""

    for_: Annotated[Duration | None, Field(alias="for")] = None


class AnalysisStep(Strict):
    """Measures all metrics for this long; the rollout goes on if each of them passed."""

    for_: Annotated[Duration, Field(alias="for")]


class Auto(Strict):
    """The metrics drive the weight: after each period `every` that passed, it rises by `add`; a failure lowers it."""

    from_: Annotated[Percent, Field(alias="from")]
    to: Percent
    add: Annotated[int, Field(ge=1, le=100)]
    every: Duration

    @model_validator(mode="after")
    def _rises(self) -> "Auto":
        if self.from_ >= self.to:
            raise ValueError(f"from {self.from_} has to be below to {self.to}")
        return self


class RolloutStep(Strict):
    """One step: `weight` (optionally with `replicas` and a `pause` or an `analysis`), `pause`, `analysis` or `auto`."""

    weight: Percent | None = None
    replicas: Replicas | None = None
    pause: Pause | None = None
    analysis: AnalysisStep | None = None
    auto: Auto | None = None

    @model_validator(mode="after")
    def _legal(self) -> "RolloutStep":
        given = [name for name in STEP if getattr(self, name) is not None]
        if not given:
            raise ValueError("takes one of weight, pause, analysis, auto")
        if self.auto and len(given) > 1:
            raise ValueError(f"auto stands alone: make a step of its own of {' and '.join(given[:-1])}")
        if self.replicas is not None and self.weight is None:
            raise ValueError("replicas goes with a weight")
        if self.pause and self.analysis:
            raise ValueError("pause and analysis in one step: make two, in the order that is meant")
        return self

    @property
    def weights(self) -> tuple[int, int] | None:
        """The lowest and the highest weight that this step sets."""
        if self.auto:
            return self.auto.from_, self.auto.to
        return None if self.weight is None else (self.weight, self.weight)


Preset = Literal["istio-success", "istio-p99", "otel-success", "otel-p99", "envoy-success", "envoy-p99"]
MetricName = Annotated[str, StringConstraints(pattern=_METRIC)]
Limit = Annotated[float, Field(allow_inf_nan=False)]


class Metric(Strict):
    """A PromQL `query` or a `preset` that gives one number. It passes from `min` to `max`, both included.

    Parameters:
        every: seconds between two measurements.
        failures: the analysis fails after this many failed measurements, in a row or not.
        interval: the value of `{{interval}}` in the query, in seconds; default `every`, at least a minute.
    """

    name: MetricName
    query: Annotated[str, StringConstraints(min_length=1)] | None = None
    preset: Preset | None = None
    min: Limit | None = None
    max: Limit | None = None
    every: Duration = 60.0
    failures: Annotated[int, Field(ge=1)] = 1
    interval: Duration | None = None

    @field_validator("query")
    @classmethod
    def _placeholders(cls, query: str | None) -> str | None:
        for name in PLACEHOLDER.findall(query or ""):
            if name not in PLACEHOLDERS:
                raise ValueError(f"unknown placeholder {{{{{name}}}}}{nearest(name, PLACEHOLDERS)}")
        if "{{" in PLACEHOLDER.sub("", query or ""):
            raise ValueError("a {{ that no }} closes; placeholders are written {{version}}")
        return query

    @model_validator(mode="after")
    def _complete(self) -> "Metric":
        if (self.query is None) == (self.preset is None):
            raise ValueError("takes one of query and preset")
        if self.min is None and self.max is None:
            raise ValueError("takes min, max or both: without them nothing could fail")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class Analysis(Strict):
    """The address of Prometheus and the metrics to measure there."""

    prometheus: Annotated[str, StringConstraints(pattern=_SERVER)]
    metrics: Annotated[Items[Metric], Field(min_length=1)]

    @field_validator("metrics")
    @classmethod
    def _names(cls, metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
        names = [metric.name for metric in metrics]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"two metrics have the name {twice[0]}")
        return metrics


class SecretRef(Strict):
    """A key of a Secret in the rollout's namespace."""

    name: WorkloadName
    key: Annotated[str, StringConstraints(pattern=_SECRET, max_length=253)] = "secret"


class Webhook(Strict):
    """A URL that gets each transition of the rollout; with `secretRef`, graylane signs the messages."""

    url: Annotated[str, StringConstraints(pattern=_URL)]
    secret_ref: SecretRef | None = None


class RolloutSpec(Strict):
    """The spec of a rollout; `keepOld` is how long the old version stays without requests (default: for good)."""

    group: DnsLabel
    services: Annotated[dict[DnsLabel, Move], Field(min_length=1)]
    entry: EntryHost | None = None
    steps: Annotated[Items[RolloutStep], Field(min_length=1)]
    analysis: Analysis | None = None
    on_fail: Literal["rollback", "hold"] = "rollback"
    keep_old: DurationOrZero | None = None
    notify: Items[Webhook] = ()

    @field_validator("steps")
    @classmethod
    def _rise_to_100(cls, steps: tuple[RolloutStep, ...]) -> tuple[RolloutStep, ...]:
        weights = [(number, step.weights) for number, step in enumerate(steps) if step.weights]
        for (_, before), (number, now) in pairwise(weights):
            if now[0] < before[1]:
                raise ValueError(f"steps[{number}] goes down from {before[1]} to {now[0]}: weights only rise")
        if not weights or weights[-1][1][1] != 100:
            raise ValueError("the last weight has to be 100")
        return steps

    @model_validator(mode="after")
    def _measured(self) -> "RolloutSpec":
        asked = _measuring(self.steps)
        if asked is not None and self.analysis is None:
            raise ValueError(f"steps[{asked}] asks for metrics: give analysis, with prometheus and metrics")
        if asked is None and self.analysis is not None:
            raise ValueError("no step uses analysis: add a step {analysis: {for: …}} or {auto: …}")
        return self


def _measuring(steps: Sequence[RolloutStep]) -> int | None:
    return next((number for number, step in enumerate(steps) if step.analysis or step.auto), None)


class Rollout(ClusterObject):
    """Moves services of a group from one version to another. All of them move together, or none does."""

    kind: Literal["Rollout"]
    spec: RolloutSpec
