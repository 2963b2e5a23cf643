"""Which versions carry the tag on: judged from sidecars' access logs or from Istio's metrics. No I/O.

A call is judged only where it is known for which request it was made. A version that requests of one lane alone reach
makes every call for that lane. Any other version is judged by the request ids that it carries on, or not at all.
"""

from meshconfig.carry.access_log import AccessLog
from meshconfig.carry.judge import CarryJudge, Limits
from meshconfig.carry.lanes import OTHER, UNTAGGED, Workload, sole_lanes
from meshconfig.carry.report import Edge, LostCall, VersionCarry, as_json

__all__ = [
    "OTHER",
    "UNTAGGED",
    "AccessLog",
    "CarryJudge",
    "Edge",
    "Limits",
    "LostCall",
    "VersionCarry",
    "Workload",
    "as_json",
    "sole_lanes",
]
