"""A waypoint of ambient mode where nothing of ambient mode runs: an istiod with it, beside the cluster's own, and a
stock Envoy of the node type `waypoint` that this istiod configures.

    the test → CONNECT ADDRESS:PORT → listener `tunnel` → istiod's listener `main_internal` → a Pod

Some things stand in for what the lab has not. istiod's deployment controller makes a Service and an address for a
waypoint's Gateway: here both are written. `tunnel` is istiod's listener `connect_terminate` without ztunnel's mutual
TLS, for which nobody has certificates: an SDS server says so. An EnvoyFilter removes what a stock Envoy does not know,
which is about the metadata of peers. Routes, their order and the clusters that they lead to are istiod's own.
Source: Istio 1.31, pilot/pkg/networking/core/listener_waypoint.go
"""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.request import urlopen

import grpc
import static_envoy
import yaml
from broker_process import free_port
from mesh_cluster import (
    ADMIN,
    GATEWAY_API,
    NAMESPACE,
    PORT,
    SERVICES,
    Answer,
    Headers,
    Manifest,
    acknowledged,
    exchange,
    istio,
    kubectl,
    meta,
    subsets,
    until,
)

from meshconfig.render.waypoint import PORT as HBONE
from meshconfig.render.waypoint import USES

NAME = "waypoint"
CALLED = tuple(f"{name}-svc" for name in (*SERVICES, "probe"))  # the Services that callers name
_LABELS = {f"{GATEWAY_API}/gateway-name": NAME, "gateway.istio.io/managed": "istio.io-mesh-controller"}
_MARK = "x-waypoint-marker"
_EXTENSIONS = "type.googleapis.com/envoy.extensions"
_SECRET = f"{_EXTENSIONS}.transport_sockets.tls.v3.Secret".encode()
_UNKNOWN = ("waypoint_downstream_peer_metadata", "waypoint_upstream_peer_metadata")


@dataclass
class Waypoint:
    """`istiod` is where its debug pages are; `port` is where the Envoy takes tunnels."""

    istiod: str
    port: int
    marker: int = 0
    addresses: dict[str, str] = field(default_factory=dict, repr=False)

    def ask(self, service: str, path: str, headers: Headers = (), method: str = "GET") -> Answer:
        """A request to a Service of the tests' namespace, by its address, as ztunnel hands it to a waypoint."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=15)
        connection.set_tunnel(self.addresses[service], PORT)
        return exchange(connection, f"{service}.{NAMESPACE}.svc.cluster.local:{PORT}", path, headers, method)

    def settle(self, manifests: Sequence[Manifest]) -> None:
        """Waits until the Envoy has the routes of these manifests, which are applied, and all that they lead to."""
        self.marker += 1
        _give_address()
        kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(_marker(self.marker)))
        services = yaml.safe_load(kubectl("get", "services", "-n", NAMESPACE, "-o", "yaml").stdout)["items"]
        self.addresses = {one["metadata"]["name"]: one["spec"]["clusterIP"] for one in services}
        until(lambda: self._marked() == [str(self.marker)], "the waypoint's routes")
        for name in versions(manifests):
            until(lambda name=name: self._answers(name), f"{name} for the waypoint")
        until(lambda: acknowledged(self.istiod), "the waypoint's acknowledgement")

    def _marked(self) -> list[str]:
        return self._answer("probe-svc").header(_MARK)

    def _answers(self, service: str) -> bool:
        return bool(self._answer(service).service)

    def _answer(self, service: str) -> Answer:
        try:
            return self.ask(service, "/")
        except (OSError, HTTPException) as error:  # the waypoint has nothing at this address yet
            return Answer(0, {"text": repr(error)})


def versions(manifests: Sequence[Manifest]) -> list[str]:
    """The names of the versions' Services."""
    return [one.partition(".")[0] for one in subsets(manifests)]


@contextmanager
def waypoint(istiod: str, folder: Path) -> Iterator[Waypoint]:
    """It runs while the block does, for requests to the Services of the tests' namespace.

    Parameters:
        istiod: the program.
        folder: for configurations and logs.
    """
    ours = yaml.safe_dump_all([_service(), _stock_envoy()])
    kubectl("apply", "--server-side", "-f", "-", stdin=ours)
    kubectl("label", "service", "-n", NAMESPACE, *CALLED, f"{USES}={NAME}")
    try:
        with _istiod(istiod, folder) as (url, xds), _no_certificates() as sds, _envoy(folder, xds, sds) as port:
            yield Waypoint(url, port)
    finally:
        kubectl("label", "service", "-n", NAMESPACE, *CALLED, f"{USES}-")
        kubectl("delete", "--ignore-not-found", "-f", "-", stdin=ours + "---\n" + yaml.safe_dump(_marker(0)))


def _service() -> Manifest:
    spec = {"selector": _LABELS, "ports": [{"name": "mesh", "port": HBONE, "appProtocol": "hbone"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta(NAME, labels=_LABELS), "spec": spec}


def _give_address() -> None:
    """Says in the Gateway's status that its Service is there: without an address istiod knows no waypoint."""
    address = {"type": "Hostname", "value": f"{NAME}.{NAMESPACE}.svc.cluster.local"}
    status = json.dumps({"status": {"addresses": [address]}})
    how = ("--subresource=status", "--type=merge", f"--patch={status}")
    kubectl("patch", f"gateways.{GATEWAY_API}", NAME, f"--namespace={NAMESPACE}", *how)


def _stock_envoy() -> Manifest:
    manager = {"name": "envoy.filters.network.http_connection_manager"}
    patches = [
        {
            "applyTo": "HTTP_FILTER",
            "match": {"listener": {"filterChain": {"filter": {**manager, "subFilter": {"name": name}}}}},
            "patch": {"operation": "REMOVE"},
        }
        for name in _UNKNOWN
    ]
    terminates = {"listener": {"name": "connect_terminate"}}
    patches.append({"applyTo": "LISTENER", "match": terminates, "patch": {"operation": "REMOVE"}})
    target = {"group": GATEWAY_API, "kind": "Gateway", "name": NAME}
    return {
        **istio("EnvoyFilter", NAME, {"targetRefs": [target], "configPatches": patches}),
        "apiVersion": "networking.istio.io/v1alpha3",
    }


def _marker(number: int) -> Manifest:
    """A route of the kind that is tried, so that istiod has taken in those before it as well."""
    mark = {"set": [{"name": _MARK, "value": str(number)}]}
    rule = {
        "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": mark}],
        "backendRefs": [{"name": "probe-svc", "port": PORT}],
    }
    spec = {"parentRefs": [{"group": "", "kind": "Service", "name": "probe-svc"}], "rules": [rule]}
    return {"apiVersion": f"{GATEWAY_API}/v1", "kind": "HTTPRoute", "metadata": meta("waypoint-marker"), "spec": spec}


@contextmanager
def _istiod(program: str, folder: Path) -> Iterator[tuple[str, int]]:
    """An istiod with ambient mode: the URL of its debug pages, and its port for proxies."""
    http, xds, monitoring = (free_port() for _ in range(3))
    mesh = folder / "mesh.yaml"
    mesh.write_text("enableAutoMtls: false\n")
    command = [program, "discovery", f"--meshConfig={mesh}", f"--kubeconfig={ADMIN['KUBECONFIG']}"]
    command += [f"--httpAddr=127.0.0.1:{http}", f"--grpcAddr=127.0.0.1:{xds}", "--secureGRPCAddr=", "--httpsAddr="]
    command += [f"--monitoringAddr=127.0.0.1:{monitoring}", "--ctrlz_port=0"]
    environment = {
        **os.environ,
        "POD_NAMESPACE": "istio-system",
        "POD_NAME": "istiod-ambient",
        "ENABLE_CA_SERVER": "false",
        "PILOT_ENABLE_AMBIENT": "true",
        "AMBIENT_ENABLE_MULTI_NETWORK_WAYPOINT": "false",
        "PILOT_ENABLE_METADATA_EXCHANGE": "false",
        "PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER": "false",
    }
    with (folder / "istiod.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
    try:
        url = f"http://127.0.0.1:{http}"
        until(lambda: _ready(url), "istiod with ambient mode")
        yield url, xds
    finally:
        process.terminate()
        process.wait()


def _ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/ready", timeout=10):
            return True
    except OSError:
        return False


@contextmanager
def _no_certificates() -> Iterator[int]:
    """An SDS server that has none, so that the Envoy waits for none: its port."""

    def answer(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for number, request in enumerate(requests):
            if not number:  # later ones acknowledge the answer, or refuse it
                secret = _field(1, b"ROOTCA" if b"ROOTCA" in request else b"default")
                resource = _field(1, _SECRET) + _field(2, secret)
                yield _field(1, b"1") + _field(2, resource) + _field(4, _SECRET) + _field(5, b"1")

    streams = {"StreamSecrets": grpc.stream_stream_rpc_method_handler(answer)}
    handlers = [grpc.method_handlers_generic_handler("envoy.service.secret.v3.SecretDiscoveryService", streams)]
    server = grpc.server(ThreadPoolExecutor(8), handlers=handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


def _field(number: int, value: bytes) -> bytes:
    """A field of a protobuf message: of up to 127 bytes."""
    return bytes([number << 3 | 2, len(value)]) + value


@contextmanager
def _envoy(folder: Path, xds: int, sds: int) -> Iterator[int]:
    """The waypoint's Envoy: its port for tunnels."""
    port = free_port()
    options = f"{_EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions"
    http2 = {options.rpartition("/")[2]: {"@type": options, "explicit_http_config": {"http2_protocol_options": {}}}}
    clusters = [
        static_envoy.cluster("xds", xds, typed_extension_protocol_options=http2),
        static_envoy.cluster("sds-grpc", sds, typed_extension_protocol_options=http2),
    ]
    ads = {"ads": {}, "resource_api_version": "V3"}
    service = {"envoy_grpc": {"cluster_name": "xds"}}
    internal = f"{_EXTENSIONS}.bootstrap.internal_listener.v3.InternalListener"
    with static_envoy.envoy(
        folder,
        [_tunnel(port)],
        clusters,
        f"waypoint~192.0.2.1~{NAME}.{NAMESPACE}~{NAMESPACE}.svc.cluster.local",
        {
            "NAMESPACE": NAMESPACE,
            "LABELS": _LABELS,
            "CLUSTER_ID": "Kubernetes",
            "ISTIO_VERSION": "1.31.0",
            "SERVICE_ACCOUNT": NAME,
        },
        dynamic_resources={
            "ads_config": {"api_type": "GRPC", "transport_api_version": "V3", "grpc_services": [service]},
            "cds_config": ads,
            "lds_config": ads,
        },
        bootstrap_extensions=[{"name": "internal_listener", "typed_config": {"@type": internal}}],
    ):
        yield port


def _tunnel(port: int) -> static_envoy.Json:
    """Takes CONNECT to an address, and hands what comes after it to istiod's listener as a connection to there."""
    connect = {"upgrade_type": "CONNECT"}
    action = {"cluster": "main_internal", "upgrade_configs": [{**connect, "connect_config": {}}]}
    routes = [{"match": {"connect_matcher": {}}, "route": action}]
    filters = f"{_EXTENSIONS}.filters.http"
    address = {
        "object_key": "envoy.filters.listener.original_dst.local_ip",
        "format_string": {"text_format_source": {"inline_string": "%REQ(:AUTHORITY)%"}},
        "shared_with_upstream": "ONCE",
    }
    passed_on = {"@type": f"{filters}.set_filter_state.v3.Config", "on_request_headers": [address]}
    hosts = [{"name": "tunnel", "domains": ["*"], "routes": routes}]
    return static_envoy.listener(
        "tunnel",
        port,
        routes,
        route_config={"virtual_hosts": hosts, "validate_clusters": False},  # istiod's cluster comes later
        http_protocol_options={"accept_http_10": True},  # which http.client's CONNECT is
        upgrade_configs=[connect],
        http_filters=[
            {"name": "address", "typed_config": passed_on},
            {"name": "router", "typed_config": {"@type": f"{filters}.router.v3.Router"}},
        ],
    )
