"""A cluster by KUBECONFIG, with Istio: backends, a Pod that asks from inside the mesh, and a marker that tells when
a change has reached every proxy that the tests talk to.

GRAYLANE_GATEWAY is the ingress gateway's `host:port`; without it, its Pod's own address is used, which is reachable
where the tests run inside the cluster's network (as in the lab). GRAYLANE_ISTIOD is where istiod's debug pages are.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import yaml

from meshconfig.backend.manifest import VERSION
from meshconfig.crds import definitions
from meshconfig.render import to_yaml

NAMESPACE = "graylane-test"
SERVICES = ("cat", "mouse", "dog", "bird")
VERSIONS = ("prod", "gray", "blue", "canary", "v9")
PORT = 9001
PATIENCE = 90.0
ISTIOD = os.environ.get("GRAYLANE_ISTIOD", "http://127.0.0.1:15081")
# With the CRDs of Gateway API `gateway` means another kind, with those of CSI snapshots `vs` does: so with their group.
ISTIO_RESOURCES = ",".join(
    f"{plural}.networking.istio.io" for plural in ("virtualservices", "destinationrules", "gateways")
)
RENDERED = f"{ISTIO_RESOURCES},horizontalpodautoscalers.autoscaling"
GATEWAY_API = "gateway.networking.k8s.io"
HTTP_ROUTES = f"httproutes.{GATEWAY_API}"
ROLLOUTS = "rollouts.graylane.dev"
LANE_GROUPS = "lanegroups.graylane.dev"
WRITTEN = f"{ISTIO_RESOURCES},configmaps,leases"  # what graylane leaves in a namespace, its history and locks included

Manifest = dict[str, Any]
Headers = Sequence[tuple[str, str]]
ADMIN = {name: value for name, value in os.environ.items() if name == "KUBECONFIG"}


def kubectl(*arguments: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """kubectl with the rights of whoever started the tests, also where KUBECONFIG is a lesser account's by now."""
    environment = {**os.environ, **ADMIN}
    command = ["kubectl", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=400, env=environment)
    assert not check or done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done


def istioctl() -> str:
    found = program("istioctl")
    assert found, "istioctl is neither on PATH nor in LAB_BIN"
    return found


def program(name: str) -> str | None:
    """A program on PATH, or that of the lab; None where neither has it."""
    lab = Path(os.environ.get("LAB_BIN", Path(tempfile.gettempdir()) / "lab-bin")) / name
    return shutil.which(name) or (str(lab) if lab.exists() else None)


def until(condition: Any, what: str, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is what the backend said of itself; empty where no backend answered."""

    status: int
    body: Manifest

    @property
    def version(self) -> str:
        return str(self.body.get("version", ""))

    @property
    def service(self) -> str:
        return str(self.body.get("service", ""))

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.body.get("headers", ()) if key == name]


def _answer(status: int, text: str) -> Answer:
    try:
        body = json.loads(text)
    except ValueError:
        body = {"text": text}
    return Answer(status, body if isinstance(body, dict) else {"text": text})


def exchange(connection: HTTPConnection, host: str, path: str, headers: Headers, method: str) -> Answer:
    """The answer to one request; the connection is closed after it."""
    with closing(connection):
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return _answer(response.status, response.read().decode())


@dataclass
class Cluster:
    """`applied` are the resources of the spec under test, by kind and name; `subsets` what they may route to."""

    gateway: str
    marker: int = 0
    subsets: list[str] = field(default_factory=list, repr=False)
    applied: dict[tuple[str, str, str], Manifest] = field(default_factory=dict, repr=False)

    def ask_gateway(self, host: str, path: str, headers: Headers = (), method: str = "GET") -> Answer:
        address, _, port = self.gateway.rpartition(":")
        return exchange(HTTPConnection(address, int(port), timeout=15), host, path, headers, method)

    def ask_mesh(self, service: str, path: str, headers: Headers = (), method: str = "GET") -> Answer:
        """From the probe's Pod, through its sidecar."""
        url = f"{method} http://{service}-svc.{NAMESPACE}.svc.cluster.local:{PORT}{path}"
        asked = [("x-ask", url), ("x-ask-headers", json.dumps([list(pair) for pair in headers]))]
        reply = self.ask_gateway("probe.graylane.test", "/", asked)
        return _answer(int(reply.body.get("status", reply.status)), str(reply.body.get("body", "")))

    def apply(self, manifests: Sequence[Manifest]) -> None:
        """Make these the resources under test, take away those of the last call, and wait until proxies know."""
        wanted = {(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]): one for one in manifests}
        self.marker += 1
        self.subsets = subsets(manifests)
        text = yaml.safe_dump_all([*manifests, *marker(self.marker, self.subsets)])
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
        of_gateway_api = any(one["apiVersion"].startswith(GATEWAY_API) for one in (*manifests, *self.applied.values()))
        if gone := [self.applied[name] for name in self.applied.keys() - wanted.keys()]:
            kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", stdin=yaml.safe_dump_all(gone))
        if of_gateway_api:
            until(lambda: judged(manifests), "istiod's judgement of all routes")
        if gone or of_gateway_api:
            # The marker comes after what it marks. Routes of the Gateway API reach istiod's routes another way.
            self.marker += 1
            kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(marker(self.marker, self.subsets)))
        self.applied = wanted
        self.settle()

    def settle(self) -> None:
        said = str(self.marker)
        until(lambda: self.ask_gateway("marker.graylane.test", "/").body.get("text") == said, "the gateway's routes")
        until(lambda: self.ask_mesh("marker", "/").body.get("text") == said, "the probe's routes")
        until(acknowledged, "every proxy's acknowledgement")
        # A cluster that is new has its endpoints a moment after the routes that lead to it.
        for subset in self.subsets:
            asked = [("x-subset", subset)]
            until(lambda asked=asked: self.ask_gateway("marker.graylane.test", "/", asked).service, f"{subset} here")
            until(lambda asked=asked: self.ask_mesh("marker", "/", asked).service, f"{subset} for the probe")


def judged(manifests: Sequence[Manifest]) -> bool:
    """Has istiod taken every route of the Gateway API as it is written, and found what the route leads to?"""
    ours = {(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]) for one in manifests}
    found = json.loads(kubectl("get", f"{HTTP_ROUTES},grpcroutes.{GATEWAY_API}", "-A", "-o", "json").stdout)["items"]
    routes = [one for one in found if (one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]) in ours]
    return all(_holds(one, kind) for one in routes for kind in ("Accepted", "ResolvedRefs"))


def _holds(route: Manifest, kind: str) -> bool:
    conditions = [one for parent in route.get("status", {}).get("parents", ()) for one in parent["conditions"]]
    asked = [one for one in conditions if one["type"] == kind]
    now = route["metadata"]["generation"]
    return bool(asked) and all((one["status"], one["observedGeneration"]) == ("True", now) for one in asked)


def answered(ask: Callable[[], Answer]) -> Answer:
    """What a backend answers; a 503 of the way there is asked again, twice: a busy machine has a connection reset."""
    for _ in range(2):
        if (answer := ask()).status != 503:
            return answer
        time.sleep(0.3)
    return ask()


def acknowledged(istiod: str = ISTIOD) -> bool:
    """Has every proxy acknowledged all that istiod sent it (its debug page `syncz`)?"""
    with urlopen(f"{istiod}/debug/syncz", timeout=10) as page:
        proxies = json.load(page)
    kinds = [kind for proxy in proxies for kind in proxy.get("resources", {}).values()]
    return all(kind.get("sent") == kind.get("acked") for kind in kinds)


def meta(name: str, **more: Any) -> Manifest:
    return {"name": name, "namespace": NAMESPACE, **more}


def subsets(manifests: Sequence[Manifest]) -> list[str]:
    """HOST/SUBSET of all that DestinationRules name; not of hosts outside the mesh, which have other ports.

    In the backend `gateway` a version is a Service, HOST/.
    """
    rules = [one["spec"] for one in manifests if one["kind"] == "DestinationRule"]
    rules = [rule for rule in rules if rule["host"].endswith(".svc.cluster.local")]
    found = [f"{rule['host']}/{subset['name']}" for rule in rules for subset in rule.get("subsets", ())]
    versions = [one["metadata"] for one in manifests if VERSION in one["metadata"].get("labels", {})]
    return [*found, *(f"{one['name']}.{one['namespace']}.svc.cluster.local/" for one in versions)]


def marker(number: int, to: Sequence[str] = ()) -> list[Manifest]:
    """One more answer on each route table, told by the same push as the rest of it; and a way to each subset."""
    routes = [_way(subset) for subset in to]
    routes.append({"directResponse": {"status": 200, "body": {"string": str(number)}}})
    spec = {"hosts": ["marker.graylane.test"], "gateways": ["probe"], "http": routes}
    inside = {"hosts": [f"marker-svc.{NAMESPACE}.svc.cluster.local"], "gateways": ["mesh"], "http": routes}
    return [istio("VirtualService", "marker", spec), istio("VirtualService", "marker-in", inside)]


def istio(kind: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": meta(name), "spec": spec}


def _way(subset: str) -> Manifest:
    host, name = subset.split("/")
    destination = {"host": host, "port": {"number": PORT}, **({"subset": name} if name else {})}
    return {"match": [{"headers": {"x-subset": {"exact": subset}}}], "route": [{"destination": destination}]}


def service(name: str) -> Manifest:
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": PORT, "targetPort": PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta(f"{name}-svc"), "spec": spec}


def deployment(name: str, version: str) -> Manifest:
    labels = {"app": name, "env": version}
    container = {
        "name": "app",
        "image": "graylane-test-backend",
        "args": [f"--name={name}", f"--env={version}", f"--port={PORT}"],
        "ports": [{"containerPort": PORT}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta(f"{name}-{version}", labels=labels),
        "spec": spec,
    }


def fixtures() -> list[Manifest]:
    namespace = {"name": NAMESPACE, "labels": {"istio-injection": "enabled"}}
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*.graylane.test"]}
    gateway = {"selector": {"istio": "ingressgateway"}, "servers": [server]}
    to_probe = [{"route": [{"destination": {"host": "probe-svc", "port": {"number": PORT}}}]}]
    entry = {"hosts": ["probe.graylane.test"], "gateways": ["probe"], "http": to_probe}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": namespace},
        *[service(name) for name in (*SERVICES, "probe", "marker")],
        *[deployment(name, version) for name in SERVICES for version in VERSIONS],
        deployment("probe", "prod"),
        istio("Gateway", "probe", gateway),
        istio("VirtualService", "probe", entry),
        # Twenty proxies that hear only of their own namespace: what others create does not keep them busy.
        istio("Sidecar", "default", {"egress": [{"hosts": ["./*"]}]}),
    ]


def gateway_address() -> str:
    if given := os.environ.get("GRAYLANE_GATEWAY"):
        return given if ":" in given else f"{given}:80"
    query = "jsonpath={.items[0].status.podIP}"
    address = kubectl("get", "pods", "-n", "istio-system", "-l", "istio=ingressgateway", "-o", query).stdout
    assert address, "no ingress gateway: set GRAYLANE_GATEWAY=host:port"
    return f"{address}:80"


def own_kinds() -> None:
    """Installs the kinds of graylane, and waits until the API server serves them."""
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=to_yaml(definitions()))
    names = [f"crd/{one['metadata']['name']}" for one in definitions()]
    kubectl("wait", "--for=condition=Established", *names, "--timeout=60s")
    until(lambda: not kubectl("get", "lg,glr,gll", "-A", check=False).returncode, "the API serves the kinds")


def forget(kind: str, namespace: str) -> None:
    """Deletes what a test that failed has left on its way: no controller is there to let it, or its namespace, go."""
    kubectl("delete", kind, "--all", "-n", namespace, "--wait=false", check=False)  # the kind may not be installed
    for name in kubectl("get", kind, "-n", namespace, "-o", "name", check=False).stdout.split():
        patch = '{"metadata": {"finalizers": null}}'
        kubectl("patch", name, "-n", namespace, "--type=merge", "-p", patch, check=False)
