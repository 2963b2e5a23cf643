"""Which of a destination's workloads Envoy prefers while they are healthy.

`meshconfig.istio.policies` reads the order of the labels; this module fills in the sender's own labels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from meshconfig.istio import Subset, Workload
from meshconfig.istio.policies import agreeing, effective, failover_in_force
from meshconfig.istio.strings import UnknownError

Wanted = tuple[tuple[str, str], ...]


def wanted(policy: Mapping[str, Any], subset: Subset | None, sender: Mapping[str, str] | None) -> Wanted:
    """The labels that the load balancer prefers, the most important first; empty where it has no preference.

    Parameters:
        policy: the DestinationRule's trafficPolicy; the subset's policy overrides it field by field.
        subset: None for all Pods of the Service.
        sender: the labels of the sending Pod, for priorities without a value; None when they are not known.

    Raises:
        UnknownError: the preference depends on labels that are not known.
    """
    return tuple(_label(one, sender) for one in failover_in_force(effective(policy, subset)))


def preferred(workloads: Sequence[Workload], labels: Wanted) -> list[Workload]:
    """The workloads of the best priority among those given, as Envoy uses that priority alone while it is healthy."""
    ranks = [agreeing(one.spec.template.metadata.labels, labels) for one in workloads]
    return [one for one, rank in zip(workloads, ranks, strict=True) if rank == max(ranks)]


def _label(priority: str, sender: Mapping[str, str] | None) -> tuple[str, str]:
    name, equals, value = priority.partition("=")
    if equals:
        return name, value
    if sender is None:
        raise UnknownError(f"which Pods are preferred follows the sender's label {name}, which is not known")
    return name, sender.get(name, "")
