"""Changes a cluster to match a spec: prepare (read, compare, plan), check, then run the steps."""

from meshconfig.cluster.change.changeable import OtherBackendError
from meshconfig.cluster.change.check import Refusal, check_states
from meshconfig.cluster.change.moving import NotAsAppliedError
from meshconfig.cluster.change.offline import group_of, prepare_offline
from meshconfig.cluster.change.operation import ChangeResult, Choices, Watcher, carry_out
from meshconfig.cluster.change.prepare import OversizedError, Prepared, Wanted, prepare
from meshconfig.cluster.change.reach import NotAllowedError
from meshconfig.cluster.change.rollback_target import rollback_target
from meshconfig.cluster.change.run import Events

__all__ = [
    "ChangeResult",
    "Choices",
    "Events",
    "NotAllowedError",
    "NotAsAppliedError",
    "OtherBackendError",
    "OversizedError",
    "Prepared",
    "Refusal",
    "Wanted",
    "Watcher",
    "carry_out",
    "check_states",
    "group_of",
    "prepare",
    "prepare_offline",
    "rollback_target",
]
