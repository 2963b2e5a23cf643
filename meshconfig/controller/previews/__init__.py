"""Preview lanes in the controller: from a Lane object to Pods and routes, and back.

    previews  the workers, and what wakes them
    index     which Lanes there are, and which of them each group's last plan has routed
    look      one look at a Lane: what it waits for, or that it is ready
    making    the Job before, the Deployments, and which versions are ready
    ending    routes, Pods, the Job after, and then the finalizer
    leftover  what is left of a Lane whose finalizer somebody took off
    metrics   of Lanes, for Prometheus

A Lane's worker never writes routes: it writes into the Lane's status which versions are ready, and the group's own plan
takes all such Lanes in at once. What has ended goes only after a plan that began later has succeeded without it.
"""

from meshconfig.controller.previews.metrics import PreviewMetrics
from meshconfig.controller.previews.previews import Previews

__all__ = ["PreviewMetrics", "Previews"]
