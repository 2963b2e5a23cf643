"""What the examples and the golden cases render to: the real API server takes every object, in both backends, and
`istioctl analyze` has nothing of level error to say of Istio's once the Services, Pods and Secrets are there that a
spec is about."""

import base64
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from mesh_cluster import Manifest, istioctl, kubectl
from two_backends import compiled as compiled_for_gateway_api
from two_backends import for_both

from meshconfig.compile import compile_group
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.model import Model, RouteTable
from meshconfig.render import ingress, render, sidecars, to_yaml

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
SPECS = sorted([*ROOT.glob("examples/*/graylane*.yaml"), *ROOT.glob("tests/golden/*/in.yaml")])
NAMESPACE = "graylane-golden"


def manifest(api: str, kind: str, name: str, namespace: str, **parts: Any) -> Manifest:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **parts.pop("meta", {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **parts}


def moved(spec: Path) -> Manifest:
    """The spec, its group moved to a namespace of these tests."""
    value: Manifest = yaml.safe_load(spec.read_text())
    value["metadata"]["namespace"] = NAMESPACE
    return value


def compiled(spec: Path) -> Model:
    """The model of a spec in Istio's backend."""
    value = moved(spec)
    for entry in value["spec"].get("entries", ()):
        if "*" in entry["hosts"]:  # else it would meet the Gateway of these tests, which istioctl calls a conflict
            entry["gateway"]["selector"] = {"istio": "golden"}
    (group,) = groups(parse(yaml.safe_dump(value), str(spec)))
    return compile_group(group.spec)


def around(model: Model) -> Iterator[Manifest]:
    """What the cluster has besides: Services with a Pod for each version, gateways' Pods, certificates."""
    yield from _services(model)
    if any(condition.claims for entry in model.entries for route in entry.routes for condition in route.conditions):
        rule = {"issuer": "https://issuer.graylane.test", "jwks": '{"keys": []}'}
        spec = {"selector": {"matchLabels": {"istio": "ingressgateway"}}, "jwtRules": [rule]}
        yield manifest("security.istio.io/v1", "RequestAuthentication", "golden", "istio-system", spec=spec)
    for entry in model.entries:
        if entry.own is None:
            yield gateway(entry.gateway, 80)
            continue
        labels = dict(entry.own.selector)
        if labels != {"istio": "ingressgateway"}:
            yield pod("gateway", NAMESPACE, labels)
        for listener in entry.own.listeners:
            if listener.credential:
                yield certificate(listener.credential)


def _services(model: Model) -> Iterator[Manifest]:
    for service in model.services:
        if service.outside:
            yield from _egress(service.outside.egress, service.route_table)
            continue
        if not service.host.endswith(".svc.cluster.local"):
            ports = [{"number": service.port, "name": "http", "protocol": "HTTP"}]
            spec = {"hosts": [service.host], "ports": ports, "resolution": "DNS"}
            name, namespace = service.resource.name, service.resource.namespace
            yield manifest("networking.istio.io/v1", "ServiceEntry", name, namespace, spec=spec)
            continue
        chosen = {"service": service.name}
        spec = {"selector": chosen, "ports": [{"name": "http", "port": service.port}]}
        yield manifest("v1", "Service", service.resource.name, service.resource.namespace, spec=spec)
        for subset in service.subsets:
            if not subset.failover:
                # What a fallback at run time selects by stands on the two versions' Pods as well.
                shared = [one.labels for one in service.subsets if one.failover]
                labels = chosen | dict(subset.labels) | {name: value for one in shared for name, value in one}
                yield pod(f"{service.resource.name}-{subset.name}", service.namespace, labels)


def _egress(tables: Iterable[RouteTable], calls: RouteTable) -> Iterator[Manifest]:
    """The Gateway by which requests leave the mesh, and the Service that callers send them to."""
    for name in {name for table in tables for name in table.gateways}:
        (host, port), *_ = {(target.host, target.port) for route in calls.routes for target in route.targets}
        service, namespace, *_ = host.split(".")
        spec = {"selector": {"istio": "ingressgateway"}, "ports": [{"name": "http", "port": port}]}
        yield manifest("v1", "Service", service, namespace, spec=spec)
        yield gateway(name, port)


def gateway(key: str, port: int) -> Manifest:
    namespace, name = key.split("/")
    server = {"port": {"number": port, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    spec = {"selector": {"istio": "ingressgateway"}, "servers": [server]}
    return manifest("networking.istio.io/v1", "Gateway", name, namespace, spec=spec)


def certificate(name: str) -> Manifest:
    """A Secret with a certificate that is its own authority, as MUTUAL asks for one."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=graylane.test -keyout - -out -"
    text = subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout
    key, begin, rest = text.partition("-----BEGIN CERTIFICATE-----")
    parts = {"tls.key": key, "tls.crt": begin + rest, "ca.crt": begin + rest}
    data = {name: base64.b64encode(part.encode()).decode() for name, part in parts.items()}
    return manifest("v1", "Secret", name, NAMESPACE, type="kubernetes.io/tls", data=data)


def pod(name: str, namespace: str, labels: dict[str, str]) -> Manifest:
    spec = {"containers": [{"name": "none", "image": "auto"}]}
    return manifest("v1", "Pod", name, namespace, spec=spec, meta={"labels": labels})


@pytest.fixture(scope="module")
def namespaces(cluster) -> Iterator[None]:
    names = (NAMESPACE, "shop")
    made = [manifest("v1", "Namespace", name, "", meta={"labels": {"istio-injection": "disabled"}}) for name in names]
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(made))
    yield
    kubectl("delete", "namespace", *names)


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_api_server_and_istioctl_are_content(namespaces, spec, tmp_path):
    model = compiled(spec)
    there = yaml.safe_dump_all(list(around(model)))
    rendered = render([model])
    kubectl("apply", "--server-side", "-f", "-", stdin=there)
    try:
        file = tmp_path / "rendered.yaml"
        file.write_text(to_yaml(rendered))
        kubectl("apply", "--server-side", "--dry-run=server", "-f", str(file))
        command = [istioctl(), "analyze", "-n", NAMESPACE, "--failure-threshold", "Error", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        kubectl("delete", "--ignore-not-found", "--wait=false", "--grace-period=0", "--force", "-f", "-", stdin=there)


def said_by_gateway_api(spec: Path) -> bool:
    """Whether the backend `gateway` has resources for a spec; its golden file has the problems otherwise."""
    name = f"{spec.parent.name}{'' if spec.stem == 'in' else f'.{spec.stem}'}.yaml"
    return not (ROOT / "tests" / "golden" / "gateway" / name).read_text().startswith("#")


@pytest.mark.parametrize(
    "spec", [one for one in SPECS if said_by_gateway_api(one)], ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_the_api_server_is_content_with_the_backend_gateway(namespaces, spec):
    """Its rules in CEL too: names of rules, numbers of matches, filters that exclude each other."""
    model = compiled_for_gateway_api(for_both(moved(spec)), "gateway")
    kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=to_yaml(render([model])))


def test_the_api_server_accepts_sidecars_ingresses_and_the_older_api(namespaces):
    model = compiled(ROOT / "examples" / "cat-mouse" / "graylane.yaml")
    ingresses = [ingress(entry, model, f"{NAMESPACE}/istio-ingressgateway") for entry in model.entries]
    extra = [*sidecars([model], "v1"), *ingresses, *render([model], istio_api="v1beta1")]
    kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=to_yaml(extra))
