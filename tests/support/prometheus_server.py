"""A real Prometheus that scrapes the Envoys of some namespaces, as in a cluster: Debian's package `prometheus`.

Istio's own proxies serve their metrics to everybody on port 15090. The lab's are stock Envoys without that listener,
whose admin interface hears only its own Pod; `open_stats` gives them one, by an EnvoyFilter.
"""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml
from mesh_cluster import Manifest, kubectl, until

PORT, ADMIN, PATH = 15090, 15000, "/stats/prometheus"
SCRAPE = "1s"
LOOK = 1.0  # seconds between two looks at which Pods there are
# Of the thousands that an Envoy has, those of requests to other services that it has seen.
ONLY = {"usedonly": [""], "filter": [r"^cluster\.outbound.*upstream_rq"]}


def open_stats(namespace: str, *, gateway: bool = False) -> Manifest:
    """An EnvoyFilter: the proxies of a namespace, or the ingress gateway there, serve PATH on PORT, and nothing else
    of their admin interface."""
    patches = [
        ("CLUSTER", "GATEWAY" if gateway else "SIDECAR_OUTBOUND", _admin()),
        ("LISTENER", "GATEWAY" if gateway else "SIDECAR_INBOUND", _listener()),
    ]
    spec: Manifest = {
        "configPatches": [
            {"applyTo": kind, "match": {"context": context}, "patch": {"operation": "ADD", "value": value}}
            for kind, context, value in patches
        ]
    }
    if gateway:
        spec["workloadSelector"] = {"labels": {"istio": "ingressgateway"}}
    metadata = {"name": "stats", "namespace": namespace}
    return {"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": metadata, "spec": spec}


def _address(host: str, port: int) -> Manifest:
    return {"address": {"socket_address": {"address": host, "port_value": port}}}


def _admin() -> Manifest:
    endpoints = {"lb_endpoints": [{"endpoint": _address("127.0.0.1", ADMIN)}]}
    assigned = {"cluster_name": "prometheus_stats", "endpoints": [endpoints]}
    return {"name": "prometheus_stats", "type": "STATIC", "connect_timeout": "1s", "load_assignment": assigned}


def _listener() -> Manifest:
    types = "type.googleapis.com/envoy.extensions.filters"
    router = {"name": "router", "typed_config": {"@type": f"{types}.http.router.v3.Router"}}
    routes = [{"match": {"path": PATH}, "route": {"cluster": "prometheus_stats"}}]
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "stats",
        "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": "stats", "domains": ["*"], "routes": routes}]},
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {"name": "prometheus_stats", **_address("0.0.0.0", PORT), "filter_chains": [{"filters": filters}]}


class Prometheus:
    """The server while it runs."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, promql: str) -> list[Any]:
        """The instant query's series."""
        with urlopen(f"{self.url}/api/v1/query?{urlencode({'query': promql})}", timeout=10) as answer:
            return list(json.load(answer)["data"]["result"])

    def up(self) -> int:
        """How many proxies it reached at its last look at each."""
        found = self.ask("sum(up)")
        return int(found[0]["value"][1]) if found else 0


@contextmanager
def prometheus(namespaces: Sequence[str], folder: Path) -> Iterator[Prometheus]:
    """It runs while the block does, and follows the Pods that come and go; its data and its log are in `folder`."""
    port = _free()
    targets, stopped = folder / "targets.json", threading.Event()
    _write(targets, namespaces)
    follower = threading.Thread(target=_follow, args=(targets, namespaces, stopped))
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump(_config(targets)))
    flags = [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *flags], stdout=log, stderr=log)
    follower.start()
    try:
        found = Prometheus(f"http://127.0.0.1:{port}")
        until(lambda: _ready(found.url), f"Prometheus: {log.name}")
        yield found
    finally:
        stopped.set()
        follower.join()
        process.terminate()
        process.wait(30)


def _config(targets: Path) -> Manifest:
    found = [{"files": [str(targets)], "refresh_interval": "1s"}]
    job = {"job_name": "envoys", "metrics_path": PATH, "params": ONLY, "file_sd_configs": found}
    return {"global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE}, "scrape_configs": [job]}


def _follow(targets: Path, namespaces: Sequence[str], stopped: threading.Event) -> None:
    while not stopped.wait(LOOK):
        _write(targets, namespaces)


def _write(targets: Path, namespaces: Sequence[str]) -> None:
    """Debian's Prometheus has no discovery by Kubernetes' API, but one by file."""
    query = "jsonpath={range .items[*]}{.status.podIP}{'\\n'}{end}"
    pods = [kubectl("get", "pods", "-n", one, "-o", query, check=False).stdout.split() for one in namespaces]
    new = targets.with_suffix(".new")
    new.write_text(json.dumps([{"targets": [f"{address}:{PORT}" for found in pods for address in found]}]))
    new.replace(targets)


def _ready(url: str) -> bool:
    with suppress(OSError), urlopen(f"{url}/-/ready", timeout=1) as answer:
        return bool(answer.status == 200)
    return False


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
