"""Requests as people ask about them: by the names of specs or of manifests, from a service, a Pod or outside.

given (specs, manifests, a cluster's resources) → names → request → meshconfig.simulate
"""

from meshconfig.explain.bucket import bucket_notes
from meshconfig.explain.given import NOTHING, Cluster, Given, given_by
from meshconfig.explain.names import Hop, Names, percent, unknown_lanes
from meshconfig.explain.request import Asked, request

__all__ = [
    "NOTHING",
    "Asked",
    "Cluster",
    "Given",
    "Hop",
    "Names",
    "bucket_notes",
    "given_by",
    "percent",
    "request",
    "unknown_lanes",
]
