"""Checks that the cluster serves Istio's kinds, and chooses their API version."""

from collections.abc import Iterator
from typing import Any

from meshconfig.backend.kinds import ROUTING, Role
from meshconfig.cluster.client import Client
from meshconfig.cluster.preflight.finding import Finding, error
from meshconfig.cluster.preflight.snapshot import ClusterSnapshot
from meshconfig.errors import ClusterError
from meshconfig.istio import ISTIO_GROUP
from meshconfig.render import IstioApi

GROUP_PATH = f"/apis/{ISTIO_GROUP}"
VERSIONS: tuple[IstioApi, ...] = ("v1", "v1beta1")  # in order of preference
FIX = "Install Istio 1.20 or newer, at least its CRDs: helm install istio-base istio/base -n istio-system"


def istio_version(client: Client) -> IstioApi:
    """The API version of `networking.istio.io` to write: v1 if the cluster serves it, else v1beta1. Makes one API call.

    Raises:
        ClusterError: the cluster serves neither.
    """
    if found := chosen(served(client.get(GROUP_PATH))):
        return found
    raise ClusterError(f"the cluster serves neither v1 nor v1beta1 of {ISTIO_GROUP}. {FIX}")


def served(group: Any) -> tuple[str, ...]:
    """The versions in the API server's answer about the API group; empty if it does not know the group."""
    return tuple(one["version"] for one in group["versions"]) if group else ()


def chosen(versions: tuple[str, ...]) -> IstioApi | None:
    return next((one for one in VERSIONS if one in versions), None)


def check(snapshot: ClusterSnapshot) -> Iterator[Finding]:
    version = chosen(snapshot.istio_versions)
    if version is None:
        there = f", only {', '.join(snapshot.istio_versions)}" if snapshot.istio_versions else ""
        yield error(ISTIO_GROUP, f"neither v1 nor v1beta1 is served{there}", FIX)
        return
    for kind in ROUTING:
        if Role.RARE not in kind.role and kind.name not in snapshot.istio_kinds:
            yield error(f"{ISTIO_GROUP}/{version}", f"there is no {kind.name}", FIX)
