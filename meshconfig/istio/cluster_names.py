"""Envoy's names of Istio's clusters: `outbound|9001|gray|cat-svc.demo.svc.cluster.local`.

Source: pilot model/service.go, BuildSubsetKey and ParseSubsetKey.
"""

from typing import NamedTuple

OUTBOUND = "outbound"
_DIGITS = 5  # of a port at most; names come from networks too, and Python refuses to read very long numbers
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
    if len(parts) != 4:
        return None
    direction, port, subset, host = parts
    if not (port.isascii() and port.isdigit() and len(port) <= _DIGITS):
        return None
    return ClusterName(host, int(port), subset, direction)


def host_of(name: str) -> str:
    """The host of a cluster, which is what follows the last bar: for very many names, where all else does not matter.

    Source: pilot model/service.go, ParseSubsetKeyHostname.
    """
    return name.rpartition(_BAR)[2]
