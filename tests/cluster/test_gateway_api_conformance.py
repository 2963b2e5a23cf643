"""The manifests of Gateway API's conformance tests on the real istiod, gateway and sidecars: for generated requests
they do what `simulate` says."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import conformance
import pytest
import yaml
from lab_gateways import served
from mesh_cluster import NAMESPACE, PORT, Answer, Cluster, Manifest, answered, deployment, kubectl, service
from soak import SOAK

from meshconfig.istio import Resources
from meshconfig.simulate import Destination, DirectResponse, Failure, Index, Redirect, Request, simulate

pytestmark = pytest.mark.cluster

MOST = 40 if SOAK else 8  # requests to one host
SAMPLES = 60  # requests where the answer is a matter of chance
PODS = {"infra-backend-v1": 3000, "infra-backend-v2": 3000, "infra-backend-v3": 3000, "echo-v1": 8080, "echo-v2": 8080}
ASKS = "mesh-probe.graylane.test"
ROUTED = ("Gateway", "HTTPRoute")
LISTENING = (80, 8080)  # the ports of the mesh's Services behind which our Pods listen; the others are for gRPC and TCP


def there(case: str) -> list[Manifest]:
    """The Services of a case, and Pods of ours for those that its routes lead to."""
    found = []
    for one in conformance.base(case):
        metadata = one["metadata"]
        if one["kind"] == "Namespace" and metadata["name"] in (conformance.INFRA, conformance.MESH):
            found.append({**one, "metadata": {**metadata, "labels": {"istio-injection": "enabled"}}})
        elif metadata.get("namespace") not in (conformance.INFRA, conformance.MESH):
            continue
        elif one["kind"] == "Deployment" and metadata["name"] in PODS:
            found.append(_ours(one, metadata["name"]))
        elif one["kind"] == "Service":
            found.append(one)
    return found


def _ours(manifest: Manifest, name: str) -> Manifest:
    port = PODS[name]
    container = {"name": "app", "image": "graylane-test-backend", "ports": [{"containerPort": port}]}
    container["args"] = [f"--name={name}", "--env=x", f"--port={port}"]
    template = {**manifest["spec"]["template"], "spec": {"containers": [container]}}
    return {**manifest, "spec": {"replicas": 1, "selector": manifest["spec"]["selector"], "template": template}}


def asker() -> list[Manifest]:
    """A Pod that asks from within the mesh's namespace, behind the tests' own Gateway."""
    pair = [service("probe"), deployment("probe", "prod")]
    for one in pair:
        one["metadata"]["namespace"] = conformance.MESH
    to = {"host": f"probe-svc.{conformance.MESH}.svc.cluster.local", "port": {"number": PORT}}
    spec = {"hosts": [ASKS], "gateways": [f"{NAMESPACE}/probe"], "http": [{"route": [{"destination": to}]}]}
    metadata = {"name": "asks", "namespace": conformance.MESH}
    return [
        *pair,
        {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec},
    ]


@pytest.fixture(scope="module")
def conforming(cluster: Cluster) -> Any:
    found = [*there(conformance.CASES[0]), *there(conformance.CASES[-1])]
    found.sort(key=lambda one: one["kind"] != "Namespace")
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all([*found, *asker()]))
    for namespace in (conformance.INFRA, conformance.MESH):
        kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", namespace, "--timeout=110s")
    yield cluster
    for namespace in (conformance.INFRA, conformance.MESH):
        kubectl("delete", "namespace", namespace, "--wait=false")


def ask(cluster: Cluster, request: Request) -> Answer:
    if request.gateway:
        return cluster.ask_gateway(request.host, request.path, request.pairs, request.method)
    url = f"{request.method} http://{request.host}:{request.port}{request.path}"
    asked = [("x-ask", url), ("x-ask-headers", json.dumps([list(pair) for pair in request.headers]))]
    reply = cluster.ask_gateway(ASKS, "/", asked)
    try:
        body = json.loads(str(reply.body.get("body", "")))
    except ValueError:
        body = {}
    return Answer(int(reply.body.get("status", reply.status)), body)


def expected(index: Index, request: Request, names: set[str]) -> dict[Any, Any]:
    """(status, who, path, the headers that reach it) → probability; `who` is empty where any Pod of a Service may."""
    chances: dict[Any, Any] = Counter()
    decision = simulate(index, request)
    assert not decision.undecided
    for share in decision.shares:
        one = share.outcome
        if isinstance(one, Destination):
            name = one.host.partition(".")[0]
            headers = tuple(sorted((name, value) for name, value in one.headers if name in names))
            chances[200, name if name in PODS else "", one.path, headers] += share.probability
        else:
            assert isinstance(one, DirectResponse | Failure | Redirect), one
            chances[one.status, "", "", ()] += share.probability
    return chances


def seen(answer: Answer, names: set[str], *, any_pod: bool) -> Any:
    if not answer.service:
        return answer.status, "", "", ()
    headers = [(name, value) for name, value in answer.body["headers"] if name in names]
    return answer.status, "" if any_pod else answer.service, answer.body["path"], tuple(sorted(headers))


def named(value: Any) -> Iterator[str]:
    """The names of the headers that routes ask for or change, in lower case."""
    if isinstance(value, dict):
        if value.keys() >= {"name", "value"}:
            yield value["name"].lower()
        yield from (name.lower() for name in value.get("remove", ()))
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from named(one)


@pytest.mark.parametrize("case", conformance.CASES)
def test_istio_does_what_simulate_says_of_the_conformance_manifests(conforming, case):
    manifests = conformance.routes(case)
    conforming.apply([served(one) for one in [*conformance.base(case), *manifests] if one["kind"] in ROUTED])
    index = Index(Resources.parse([*conformance.base(case), *manifests]))
    asked = 0
    for one in conformance.generated(index, case, MOST):
        if one.gateway is None and one.port not in LISTENING:
            continue
        names = {*named(manifests), *(name for name, _ in one.headers)}
        chances = expected(index, one, names)
        times = 1 if len(chances) == 1 else SAMPLES
        look = partial(seen, names=names, any_pod=any(status == 200 and not who for status, who, *_ in chances))
        got = Counter(look(answered(partial(ask, conforming, one))) for _ in range(times))
        assert set(got) <= set(chances), f"{one}: {got} is not among {chances}"
        for key, chance in chances.items():
            share = float(chance)
            slack = 5 * math.sqrt(share * (1 - share) / times) + 1 / times
            assert abs(got[key] / times - share) <= slack, f"{one}: {got} for {chances}"
        asked += times
    print(f"\n{case}: {asked} requests, no disagreement")
