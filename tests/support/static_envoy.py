"""One Envoy with a configuration of its own: listeners, each with routes and filters that a test writes."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from meshconfig.local.proxy import program

Json = dict[str, Any]
_FILTERS = "type.googleapis.com/envoy.extensions.filters"
PATIENCE = 60.0  # seconds until a busy machine has started it


def address(port: int) -> Json:
    return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}


def listener(name: str, port: int, routes: Sequence[Json], **manager: Any) -> Json:
    """A listener on loopback.

    Parameters:
        routes: Envoy's routes, for any host.
        manager: further fields of the HTTP connection manager.
    """
    filters = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{_FILTERS}.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": list(routes)}]},
        **manager,
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": filters}]}
    return {"name": name, **address(port), "filter_chains": [chain]}


def cluster(name: str, port: int, **fields: Any) -> Json:
    """A cluster of one endpoint on loopback."""
    endpoints = [{"lb_endpoints": [{"endpoint": address(port)}]}]
    assigned = {"cluster_name": name, "endpoints": endpoints}
    return {"name": name, "type": "STATIC", "connect_timeout": "5s", "load_assignment": assigned, **fields}


@contextmanager
def envoy(
    folder: Path,
    listeners: Sequence[Json],
    clusters: Sequence[Json] = (),
    node: str = "test",
    metadata: Json | None = None,
    **bootstrap: Any,
) -> Iterator[None]:
    """It runs while the block does, with its configuration and its log in `folder`.

    Parameters:
        metadata: the node's.
        bootstrap: further fields of it, such as `admin`.
    """
    resources: Mapping[str, Any] = {"listeners": list(listeners), "clusters": list(clusters)}
    named = {"id": node, "cluster": "test", "metadata": metadata or {}}
    config = {"node": named, "static_resources": resources, **bootstrap}
    (folder / "envoy.json").write_text(json.dumps(config))
    flags = ["--concurrency", "1", "--log-level", "warning", "--use-dynamic-base-id", "--drain-time-s", "1"]
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen([program(), "-c", str(folder / "envoy.json"), *flags], stdout=log, stderr=log)
    try:
        _wait(process, [one["address"]["socket_address"]["port_value"] for one in listeners], folder)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait(process: subprocess.Popen[bytes], ports: Sequence[int], folder: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not all(map(_accepts, ports)):
        assert process.poll() is None, (folder / "envoy.log").read_text()
        assert time.monotonic() < end, (folder / "envoy.log").read_text()
        time.sleep(0.05)


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
