"""Rules of a rollout's steps and metrics."""

from meshconfig.crds.cel import CelRule, Rules, alone, labels, needs
from meshconfig.spec.rollout import STEP

_OF_A_STEP = "(has(one.weight) ? one.weight : one.auto.{})"
_WEIGHED = "self.steps.filter(one, has(one.weight) || has(one.auto))"
_LOWEST, _HIGHEST = (f"{_WEIGHED}.map(one, {_OF_A_STEP.format(end)})" for end in ("from", "to"))
_ASKS = "self.steps.exists(one, has(one.analysis) || has(one.auto))"
_STARTS = [one for one in STEP if one != "replicas"]

RULES: Rules = {
    "Auto": (CelRule("self.from < self.to", "from has to be below to", ".from"),),
    "Metric": (
        CelRule("has(self.query) != has(self.preset)", "takes one of query and preset"),
        CelRule("has(self.min) || has(self.max)", "takes min, max or both: without them nothing could fail"),
        CelRule("!has(self.min) || !has(self.max) || self.min <= self.max", "min is above max", ".min"),
    ),
    "Move": (CelRule("self.from != self.to", "from and to are the same: nothing would move", ".to"),),
    "RolloutSpec": (
        labels("services"),
        # Of two steps of `auto` whose ranges overlap, CEL cannot say it: it does not count the items of a list.
        CelRule(f"{_LOWEST}.isSorted() && {_HIGHEST}.isSorted()", "weights only rise from step to step", ".steps"),
        CelRule(f"{_HIGHEST}.exists(one, one == 100)", "the last weight has to be 100", ".steps"),
        CelRule(
            f"has(self.analysis) || !{_ASKS}",
            "a step asks for metrics: give analysis, with prometheus and metrics",
            ".steps",
        ),
        CelRule(
            f"!has(self.analysis) || {_ASKS}",
            "no step uses analysis: add a step {analysis: {for: …}} or {auto: …}",
            ".analysis",
        ),
    ),
    "RolloutStep": (
        CelRule(" || ".join(f"has(self.{one})" for one in _STARTS), f"takes one of {', '.join(_STARTS)}"),
        CelRule(
            alone("auto", *(one for one in STEP if one != "auto")),
            "auto stands alone: make a step of its own of the others",
            ".auto",
        ),
        CelRule(needs("replicas", "weight"), "replicas goes with a weight", ".replicas"),
        CelRule(
            alone("pause", "analysis"), "pause and analysis in one step: make two, in the order that is meant", ".pause"
        ),
    ),
}
