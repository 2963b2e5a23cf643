"""What a proxy is told with `--sidecar`: it follows what its namespace calls, not the size of the mesh."""

import json

import pytest
import yaml
from mesh_cluster import deployment, kubectl, service, until

from meshconfig.cluster.client import Client
from meshconfig.compile import compile_group
from meshconfig.groups import groups
from meshconfig.istio import Manifest
from meshconfig.load import parse
from meshconfig.render import render, sidecars

pytestmark = pytest.mark.cluster

SIZE = 1000
CALLER, CALLED, PORT = "graylane-caller", "graylane-many", 9001
MEMORY, ROUTES = 80e6, 50e3  # bytes: what the issue allows


def group() -> str:
    versions = {lane: {"labels": {"env": lane}} for lane in ("prod", "gray")}
    many = {
        f"s{number}": {"host": f"s{number}-svc.{CALLED}", "port": PORT, "versions": versions} for number in range(SIZE)
    }
    caller = {"host": "caller-svc", "port": PORT, "calls": ["s1", "s2", "s3"], "versions": {"prod": versions["prod"]}}
    spec = {"lanes": {"prod": {}, "gray": {}}, "services": {"caller": caller, **many}}
    metadata = {"name": "many", "namespace": CALLER}
    return yaml.safe_dump({"apiVersion": "graylane/v1", "kind": "LaneGroup", "metadata": metadata, "spec": spec})


def in_namespace(manifest: Manifest, namespace: str) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


def namespaces() -> list[Manifest]:
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"istio-injection": "enabled"}}}
        for name in (CALLER, CALLED)
    ]


def services() -> list[Manifest]:
    many = [in_namespace(service(f"s{number}"), CALLED) for number in range(SIZE)]
    caller = [in_namespace(one, CALLER) for one in (service("caller"), deployment("caller", "prod"))]
    return [*many, *caller]


def told(cluster) -> tuple[float, int]:
    """The caller's proxy: bytes allocated, bytes of routes and clusters it holds, from its admin pages."""

    def page(path: str) -> dict:
        asked = [("x-ask", f"GET http://127.0.0.1:15000{path}")]
        return json.loads(cluster.ask_gateway("caller.graylane.test", "/", asked).body["body"])

    routes = json.dumps(page("/config_dump?resource=dynamic_route_configs"))
    return float(page("/memory")["allocated"]), len(routes)


def entry() -> Manifest:
    """The way in, for the test alone."""
    route = {"route": [{"destination": {"host": f"caller-svc.{CALLER}.svc.cluster.local", "port": {"number": PORT}}}]}
    spec = {"hosts": ["caller.graylane.test"], "gateways": ["graylane-test/probe"], "http": [route]}
    metadata = {"name": "caller-entry", "namespace": CALLER}
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec}


def test_a_service_that_calls_three_others_is_told_of_three(cluster):
    client = Client.connect()
    (compiled,) = [compile_group(one.spec) for one in groups(parse(group(), "many"))]
    try:
        kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(namespaces()))
        for manifests in (services(), [*sidecars([compiled], "v1"), entry(), *render([compiled])]):
            client.map_concurrently(lambda one: client.apply(dict(one)), manifests)
        kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", CALLER, "--timeout=110s")
        until(lambda: cluster.ask_gateway("caller.graylane.test", "/").service == "caller", "the caller's way in")
        cluster.settle()
        memory, routes = told(cluster)
        kubectl("delete", "sidecar", "--all", "-n", CALLER)
        until(lambda: told(cluster)[1] > 10 * routes, "what it is told without a Sidecar")
        without = told(cluster)
    finally:
        kubectl("delete", "namespace", CALLER, CALLED, check=False)
    print(
        f"\n{SIZE} services x 2 lanes, one that calls 3: {memory / 1e6:.0f} MB and {routes / 1e3:.0f} kB of routes; "
        f"without a Sidecar {without[0] / 1e6:.0f} MB and {without[1] / 1e3:.0f} kB"
    )
    assert memory < MEMORY
    assert routes < ROUTES
