"""The spec that a user writes, as pydantic models. docs/spec.md describes its fields.

The models of Rollout, LocalMesh, RouteTest and Istio's policies are imported when they are first named. Building them
takes time, and compiling a group without a policy needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from meshconfig.spec.base import API_VERSION
from meshconfig.spec.consumer import Consumer, ConsumerInGroup, ConsumerVersion
from meshconfig.spec.group import (
    Autoscale,
    Entry,
    Envelope,
    GatewayRef,
    Lane,
    LaneGroup,
    PathRoute,
    ServiceSpec,
    Sticky,
    Version,
)
from meshconfig.spec.match import EntryMatch, Match, PathMatch, StringMatch
from meshconfig.spec.service_in_group import ServiceInGroup

if TYPE_CHECKING:
    from meshconfig.spec.istio_policy import Policy, TrafficPolicy
    from meshconfig.spec.local_mesh import LocalMesh
    from meshconfig.spec.preview import PreviewLane
    from meshconfig.spec.rollout import Rollout
    from meshconfig.spec.route_test import RouteTest

__all__ = [
    "API_VERSION",
    "Autoscale",
    "Consumer",
    "ConsumerInGroup",
    "ConsumerVersion",
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
    "PreviewLane",
    "Rollout",
    "RouteTest",
    "ServiceInGroup",
    "ServiceSpec",
    "Sticky",
    "StringMatch",
    "TrafficPolicy",
    "Version",
]
_ON_DEMAND = {
    "LocalMesh": "meshconfig.spec.local_mesh",
    "Policy": "meshconfig.spec.istio_policy",
    "PreviewLane": "meshconfig.spec.preview",
    "Rollout": "meshconfig.spec.rollout",
    "RouteTest": "meshconfig.spec.route_test",
    "TrafficPolicy": "meshconfig.spec.istio_policy",
}


def __getattr__(name: str) -> Any:
    if name in _ON_DEMAND:
        return getattr(import_module(_ON_DEMAND[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
