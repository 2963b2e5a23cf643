"""The spec that a user writes, as pydantic models. docs/spec.md describes its fields."""

from meshconfig.spec.base import API_VERSION
from meshconfig.spec.group import (
    Autoscale,
    Entry,
    Envelope,
    GatewayRef,
    Lane,
    LaneGroup,
    PathRoute,
    ServiceSpec,
    Version,
)
from meshconfig.spec.istio_policy import Policy, TrafficPolicy
from meshconfig.spec.local_mesh import LocalMesh
from meshconfig.spec.match import EntryMatch, Match, PathMatch, StringMatch
from meshconfig.spec.rollout import Rollout
from meshconfig.spec.service_in_group import ServiceInGroup

__all__ = [
    "API_VERSION",
    "Autoscale",
    "Entry",
    "EntryMatch",
    "Envelope",
    "GatewayRef",
    "Lane",
    "LaneGroup",
    "LocalMesh",
    "Match",
    "PathMatch",
    "PathRoute",
    "Policy",
    "Rollout",
    "ServiceInGroup",
    "ServiceSpec",
    "StringMatch",
    "TrafficPolicy",
    "Version",
]
