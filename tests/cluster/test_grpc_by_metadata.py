"""Two gRPC services in the mesh, routed by GRPCRoutes of the backend `gateway`: a call with the metadata `env: gray`
meets gray versions all the way, any other the baseline, and a rule for one method holds, each as `simulate` says."""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from lab_gateways import PLACE, served
from mesh_cluster import GATEWAY_API, ISTIOD, PORT, Manifest, deployment, gateway_address, kubectl, until
from mesh_namespace import manifest, surroundings

from meshconfig.istio import Resources
from meshconfig.simulate import ANY_GATEWAY, Destination, Index, Request, simulate

pytestmark = pytest.mark.cluster

NAMESPACE, HOST = "graylane-grpc", "grpc.graylane.test"
GRAYLANE = [sys.executable, "-c", "from meshconfig.cli import main; main()"]
SPEC = f"""
apiVersion: graylane.dev/v1
kind: LaneGroup
metadata: {{name: pets, namespace: {NAMESPACE}}}
spec:
  backend: gateway
  lanes: {{prod: {{}}, gray: {{}}, blue: {{mode: strict}}}}
  services:
    cat:
      host: cat-svc
      port: {PORT}
      protocol: grpc
      selector: {{app: cat}}
      calls: [mouse]
      versions: {{prod: {{labels: {{env: prod}}}}, gray: {{labels: {{env: gray}}}}, blue: {{labels: {{env: gray}}}}}}
    mouse:
      host: mouse-svc
      port: {PORT}
      protocol: grpc
      selector: {{app: mouse}}
      versions: {{prod: {{labels: {{env: prod}}}}, gray: {{labels: {{env: gray}}}}}}
      rules:
        - {{match: {{path: {{exact: /pets.Mouse/Beta}}}}, weights: {{gray: 1}}}}
  entries:
    - hosts: [{HOST}]
      gateway: {{use: {PLACE}/{NAMESPACE}, listener: http}}
      routes: [{{service: cat}}]
"""


def surrounding() -> Iterator[Manifest]:
    for one in surroundings(NAMESPACE, ("cat", "mouse"), PORT):
        if one["kind"] == "Service":
            one["spec"]["ports"][0]["name"] = "grpc"
        yield one
    listener = {"name": "http", "port": 80, "protocol": "HTTP", "hostname": HOST}
    spec = {"gatewayClassName": "istio", "listeners": [listener]}
    yield served(manifest(PLACE, f"{GATEWAY_API}/v1", "Gateway", NAMESPACE, spec=spec))


def versions() -> Iterator[Manifest]:
    program = Path(__file__).with_name("grpc_backend.py")
    for name, version in itertools.product(("cat", "mouse"), ("prod", "gray")):
        one = deployment(name, version)
        one["metadata"]["namespace"] = NAMESPACE
        following = [f"--next=mouse-svc.{NAMESPACE}.svc.cluster.local:{PORT}"] if name == "cat" else []
        (container,) = one["spec"]["template"]["spec"]["containers"]
        container["command"] = [sys.executable, str(program)]
        container["args"] += following
        container["env"] = [{"name": "PROPAGATION_REMOTE_FIELDS", "value": "env"}]
        yield one


def graylane(*arguments: str) -> str:
    done = subprocess.run([*GRAYLANE, *arguments], capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: Any) -> Iterator[list[Manifest]]:
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all([*surrounding(), *versions()]))
    kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", NAMESPACE, "--timeout=110s")
    spec = tmp_path_factory.mktemp("grpc") / "graylane.yaml"
    spec.write_text(SPEC)
    graylane("apply", "-f", str(spec), f"--istiod={ISTIOD}", "--timeout=120")
    yield [*surrounding(), *yaml.safe_load_all(graylane("render", "-f", str(spec)))]
    kubectl("delete", f"gateways.{GATEWAY_API}", NAMESPACE, "-n", PLACE)
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="module")
def channel(rendered: list[Manifest]) -> Iterator[Any]:
    with grpc.insecure_channel(gateway_address(), options=[("grpc.default_authority", HOST)]) as found:
        for tag in (None, "gray"):  # each version of cat has a connection of its own to mouse
            asked = partial(call, found, "/pets.Cat/Say", tag)
            until(lambda asked=asked: "service" in (asked().get("next") or {}), f"an answer of mouse for {tag}")
        yield found


def call(channel: Any, method: str, tag: str | None = None) -> Any:
    try:
        return json.loads(channel.unary_unary(method)(b"", timeout=10, metadata=[("env", tag)] if tag else []))
    except grpc.RpcError as error:
        return {"code": error.code().name}


def expected(index: Index, request: Request) -> tuple[str, list[str]] | None:
    """The version that answers, and the tag that it sees; None where the proxy answers by itself."""
    ((share,),) = [simulate(index, request).shares]
    one = share.outcome
    if not isinstance(one, Destination):
        return None
    known = index.registry.get(one.host)
    assert known is not None
    return known.selector["env"], [value for name, value in one.headers if name == "env"]


METHODS, TAGS = ("Say", "Beta", "Other"), (None, "prod", "gray", "blue", "none")


@pytest.mark.parametrize(("method", "tag"), [*itertools.product(METHODS, TAGS)])
def test_a_call_meets_the_versions_that_its_metadata_ask_for(rendered, channel, method, tag):
    index = Index(Resources.parse(rendered))
    headers = [("env", tag)] if tag else []
    outside = Request(HOST, f"/pets.Cat/{method}", "POST", headers, gateway=ANY_GATEWAY)
    answer = call(channel, f"/pets.Cat/{method}", tag)
    first = expected(index, outside)
    assert first is not None
    assert (answer["service"], answer["version"], answer["tag"]) == ("cat", *first), answer
    sent = [("env", one) for one in first[1]]
    host = f"mouse-svc.{NAMESPACE}.svc.cluster.local"
    inside = Request(host, f"/pets.Mouse/{method}", "POST", sent, source_namespace=NAMESPACE, port=PORT)
    second = expected(index, inside)
    if second is None:
        assert answer["next"] == {"code": "UNAVAILABLE"}, answer
    else:
        following = answer["next"]
        assert (following["service"], following["version"], following["tag"]) == ("mouse", *second), answer


def test_gray_is_gray_all_the_way_and_nothing_else_is(channel):
    for tag, version in (("gray", "gray"), (None, "prod"), ("prod", "prod")):
        answer = call(channel, "/pets.Cat/Say", tag)
        assert (answer["version"], answer["next"]["version"]) == (version, version)
    assert call(channel, "/pets.Cat/Beta")["next"]["version"] == "gray"
    assert call(channel, "/pets.Cat/Say", "blue")["next"] == {"code": "UNAVAILABLE"}  # strict, and mouse has no blue


def test_istiod_takes_the_grpc_routes(rendered):
    found = kubectl("get", f"grpcroutes.{GATEWAY_API}", "-n", NAMESPACE, "-o", "json").stdout
    routes = json.loads(found)["items"]
    assert {one["metadata"]["name"] for one in routes} == {"cat-svc", "mouse-svc"}
    for one in routes:
        for condition in (each for parent in one["status"]["parents"] for each in parent["conditions"]):
            assert condition["status"] == "True", condition
