"""What the sidecars say of requests that ended in them, so that a failure tells its hop and Envoy's reason: whoever
asked sees no more than a 503."""

import os
import time
from pathlib import Path

from load_world import NAMESPACE
from mesh_cluster import Manifest, kubectl

MARK = "ended here:"
# Its words: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
LINE = (
    f"{MARK} %START_TIME% after %DURATION% ms, %REQ(:AUTHORITY)% env=%REQ(ENV)%, %RESPONSE_CODE% %RESPONSE_FLAGS% "
    "%RESPONSE_CODE_DETAILS%, %UPSTREAM_CLUSTER% %UPSTREAM_HOST%\n"
)
FLUSHED = 11.0  # seconds after which Envoy has written what it logs
SHOWN = 30  # lines
MANAGER = "envoy.filters.network.http_connection_manager"
TYPES = "type.googleapis.com/envoy.extensions"


def reporting() -> Manifest:
    """Each sidecar of the namespace prints a line for a request that it could not get answered; what another hop
    answered has no flag. Not to a file: on a cluster a sidecar may have none that it can write."""
    log = {
        "name": "envoy.access_loggers.stdout",
        "filter": {"response_flag_filter": {}},
        "typed_config": {
            "@type": f"{TYPES}.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {"text_format_source": {"inline_string": LINE}},
        },
    }
    manager = {
        "@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "access_log": [log],
    }
    patch = {
        "applyTo": "NETWORK_FILTER",
        "match": {"listener": {"filterChain": {"filter": {"name": MANAGER}}}},
        "patch": {"operation": "MERGE", "value": {"typed_config": manager}},
    }
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "reporting", "namespace": NAMESPACE},
        "spec": {"configPatches": [patch]},
    }


def reported() -> str:
    """Those lines, each after its Pod; of the Pods that are there, in the lab also of those that were."""
    time.sleep(FLUSHED)
    if state := os.environ.get("LAB_STATE"):
        prefix = f"pod-{NAMESPACE}-"
        logs = {path.name.removeprefix(prefix): path.read_text() for path in Path(state).glob(f"{prefix}*-proxy.log")}
    else:
        names = kubectl("get", "pods", "-n", NAMESPACE, "-o", "name").stdout.split()
        logs = {name: kubectl("logs", name, "-n", NAMESPACE, "-c", "istio-proxy", check=False).stdout for name in names}
    lines = [f"  {name}: {line}" for name, text in logs.items() for line in text.splitlines() if MARK in line]
    return "\n".join(sorted(lines, key=lambda line: line.partition(MARK)[2])[:SHOWN])
