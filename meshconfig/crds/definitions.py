"""The CustomResourceDefinitions of graylane's kinds, as plain values. `k8s/crds` holds them as files."""

from dataclasses import dataclass
from typing import Any

from meshconfig.backend.kinds import GRAYLANE, KINDS
from meshconfig.crds.cel import CelRule, as_schema
from meshconfig.crds.status import LANE, LANE_GROUP, ROLLOUT
from meshconfig.crds.structural import structural
from meshconfig.spec import LaneGroup, PreviewLane, Rollout
from meshconfig.spec.base import Strict
from meshconfig.spec.json_schema import Schema
from meshconfig.spec.preview import LONGEST_NAME

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of `kubectl get`; a `wide` one is shown by `-o wide` alone."""

    name: str
    path: str
    kind: str = "string"
    wide: bool = False

    def written(self) -> Manifest:
        found = {"name": self.name, "type": self.kind, "jsonPath": self.path}
        return found | ({"priority": 1} if self.wide else {})


_AGE = _Column("Age", ".metadata.creationTimestamp", "date")
_READY = '.status.conditions[?(@.type=="Ready")]'
# Where the object is not ready, the condition Ready has the reason of the one that says why.
_GROUP_COLUMNS = (
    _Column("Ready", f"{_READY}.status"),
    _Column("Reason", f"{_READY}.reason"),
    _Column("Lanes", ".status.lanes", wide=True),
    _Column("Message", f"{_READY}.message", wide=True),
    _Column("Revision", ".status.revision", "integer"),
    _AGE,
)
_ROLLOUT_COLUMNS = (
    _Column("Group", ".spec.group"),
    _Column("Phase", ".status.phase"),
    _Column("Stage", ".status.stage"),
    _Column("Step", ".status.step", "integer"),
    _Column("Weight", ".status.weight", "integer"),
    _Column("Why", ".status.why", wide=True),
    _AGE,
)
_LANE_COLUMNS = (
    _Column("Group", ".spec.group"),
    _Column("Phase", ".status.phase"),
    _Column("Expires", ".status.expires"),
    _Column("Link", ".status.link"),
    _Column("Message", f"{_READY}.message", wide=True),
    _AGE,
)
_NAME = CelRule(
    "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",
    "the name is not a DNS label: lower-case letters, digits and -, at most 63 characters",
    ".metadata",
)


# The name is the tag's value, and a lane's tag is longer during a change.
_TAG = CelRule(
    f"size(self.metadata.name) <= {LONGEST_NAME}",
    f"the name has at most {LONGEST_NAME} characters: during a change the lane's tag is longer",
    ".metadata",
)


def definitions() -> list[Manifest]:
    """The CustomResourceDefinitions of LaneGroup, Rollout and Lane."""
    return [
        _definition("LaneGroup", LaneGroup, "lg", LANE_GROUP, _GROUP_COLUMNS),
        _definition("Rollout", Rollout, "glr", ROLLOUT, _ROLLOUT_COLUMNS),
        _definition("Lane", PreviewLane, "gll", LANE, _LANE_COLUMNS, _TAG),
    ]


def _definition(
    name: str, model: type[Strict], short: str, status: Schema, columns: tuple[_Column, ...], *rules: CelRule
) -> Manifest:
    kind = KINDS[name]
    names = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.name.lower(),
        "shortNames": [short],
        "categories": ["graylane"],
    }
    version = {
        "name": kind.api.partition("/")[2],
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.written() for column in columns],
        "schema": {"openAPIV3Schema": _schema(model, status, rules)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.resource, "labels": {"app.kubernetes.io/part-of": "graylane"}},
        "spec": {"group": GRAYLANE, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _schema(model: type[Strict], status: Schema, rules: tuple[CelRule, ...]) -> Schema:
    spec = structural(model)
    said = " ".join((model.__doc__ or "").split())
    text = {"type": "string"}
    fields = {"apiVersion": text, "kind": text, "metadata": {"type": "object"}, "spec": spec, "status": status}
    return {
        "type": "object",
        "description": said,
        "required": ["spec"],
        "properties": fields,
        **as_schema((_NAME, *rules)),
    }
