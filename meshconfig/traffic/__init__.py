"""The traffic of each lane: requests a second, the share of errors and p95 per edge. No I/O.

access logs by OTLP, requests of a local mesh, or series of Prometheus → flows → what a picture and a table show
"""

from meshconfig.traffic.flow import Flow, failed, falls_back
from meshconfig.traffic.logged import LoggedTraffic
from meshconfig.traffic.shown import Row, arrows, rows
from meshconfig.traffic.window import Call, TrafficWindow

__all__ = [
    "Call",
    "Flow",
    "LoggedTraffic",
    "Row",
    "TrafficWindow",
    "arrows",
    "failed",
    "falls_back",
    "rows",
]
