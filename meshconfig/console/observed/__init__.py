"""What pages show of real requests: their flows and carry rates, of groups that the person may list."""

from meshconfig.console.observed.from_logs import FromLogs
from meshconfig.console.observed.from_mesh import FromMesh
from meshconfig.console.observed.from_metrics import FromMetrics
from meshconfig.console.observed.observer import Observer, Seen, may_see

__all__ = ["FromLogs", "FromMesh", "FromMetrics", "Observer", "Seen", "may_see"]
