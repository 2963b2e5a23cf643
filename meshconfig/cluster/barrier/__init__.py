"""The barrier between two steps: waits until all proxies have acknowledged a change and new subsets have endpoints."""

from meshconfig.cluster.barrier.barrier import Barrier
from meshconfig.cluster.barrier.change import (
    BarrierTimeout,
    NewSubset,
    Progress,
    ProxyRefused,
    StepChange,
    Verification,
)
from meshconfig.cluster.barrier.istiod import Reach

__all__ = ["Barrier", "BarrierTimeout", "NewSubset", "Progress", "ProxyRefused", "Reach", "StepChange", "Verification"]
