"""Envoy's names of Istio's clusters: `outbound|9001|gray|cat-svc.demo.svc.cluster.local`.

Source: pilot model/service.go, BuildSubsetKey and ParseSubsetKey.
"""

from typing import NamedTuple

OUTBOUND = "outbound"
_BAR = "|"


class ClusterName(NamedTuple):
    """The parts of a name. An empty `subset` is all of the Service's endpoints."""

    host: str
    port: int
    subset: str = ""
    direction: str = OUTBOUND

    def __str__(self) -> str:
        return _BAR.join((self.direction, str(self.port), self.subset, self.host))


def parse(name: str) -> ClusterName | None:
    """A name taken apart; None for a cluster that stands for no Service, such as `BlackHoleCluster`."""
    parts = name.split(_BAR)
    if len(parts) != 4 or not (parts[1].isascii() and parts[1].isdigit()):
        return None
    direction, port, subset, host = parts
    return ClusterName(host, int(port), subset, direction)


def host_of(name: str) -> str:
    """The host of a cluster, which is what follows the last bar: for very many names, where all else does not matter.

    Source: pilot model/service.go, ParseSubsetKeyHostname.
    """
    return name.rpartition(_BAR)[2]
