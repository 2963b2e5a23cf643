"""Specs of Istio's kinds, each with the right answer: the places that are refused and why, or nothing.

The unit tests hold the product to them, the cluster tests hold them to the API server and to Istio. They stand in
`admission_routes`, `admission_entries` and `admission_cases`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from meshconfig.admission import Kind

UNKNOWN, TYPE, MISSING, BAD = Kind.UNKNOWN_FIELD, Kind.WRONG_TYPE, Kind.MISSING, Kind.BAD_VALUE
CLASH, TWICE, ZERO, REGEX = Kind.CONTRADICTION, Kind.REPEATED, Kind.ZERO_WEIGHTS, Kind.REGEX
NAME, SUBSETS = Kind.SUBSET_NAME, Kind.SUBSET_TWICE


class Case(NamedTuple):
    kind: str
    spec: str
    refused: Mapping[str, Kind] = MappingProxyType({})

    @property
    def manifest(self) -> dict[str, Any]:
        metadata = {"name": "case", "namespace": "demo"}
        group = "telemetry" if self.kind == "Telemetry" else "networking"
        return {
            "apiVersion": f"{group}.istio.io/v1",
            "kind": self.kind,
            "metadata": metadata,
            "spec": yaml.safe_load(self.spec),
        }


def cases(kind: str, form: str, *cases: tuple[str, dict[str, Kind]]) -> list[Case]:
    return [Case(kind, form.replace("…", text), refused) for text, refused in cases]
