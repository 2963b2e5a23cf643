"""Checks that the cluster serves the kinds of the Gateway API that a group with `backend: gateway` renders to."""

from collections.abc import Iterator

from meshconfig.backend.kinds import GATEWAY_API
from meshconfig.cluster.preflight.finding import Finding, error
from meshconfig.cluster.preflight.snapshot import ClusterSnapshot
from meshconfig.render import render

FIX = (
    "Install the CRDs of Gateway API 1.4 or newer, standard channel: "
    "https://gateway-api.sigs.k8s.io/guides/getting-started/"
)


def check(snapshot: ClusterSnapshot) -> Iterator[Finding]:
    if snapshot.gateway_api is None:
        return
    made = (one for one in render([snapshot.model]) if one["apiVersion"] == f"{GATEWAY_API}/v1")
    for kind in sorted({one["kind"] for one in made} - snapshot.gateway_api):
        yield error(f"{GATEWAY_API}/v1", f"there is no {kind}", FIX)
