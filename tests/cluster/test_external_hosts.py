"""Hosts outside the mesh, behind TLS: while requests leave in two lanes, the sandbox is switched twice. None is lost,
none is at the wrong host, and no tag is outside. The hosts are processes on the lab's network.

Their names are those of Services that the mesh does not see, as the lab's /etc/hosts has the names of Services alone;
so `api.pay` is Service api in namespace pay. The lab has no istio-agent, which gives proxies the files of a
DestinationRule's TLS: an EnvoyFilter names the authority's file in its place.
"""

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import load
import outside_host
import pytest
import yaml
from load_mesh import Graylane, apply
from mesh_cluster import kubectl, until
from mesh_namespace import manifest, surroundings

pytestmark = pytest.mark.cluster
NAMESPACE, PAY, PORT = "graylane-outside", "pay", 9001
API, SANDBOX, OTHER = HOSTS = ("api.pay", "sandbox.pay", "sandbox2.pay")
ADDRESSES = dict(zip(HOSTS, ("10.96.210.1", "10.96.210.2", "10.96.210.3"), strict=True))
ENOUGH, RATE, LONGEST = 10_000, 160.0, 400.0
BAGGAGE = "baggage: user=7,env={tag}"


def run(*command, check=True):
    return subprocess.run(command, capture_output=True, text=True, check=check).stdout


@pytest.fixture(scope="module")
def outside():
    """The folder with the certificates; the hosts listen, and every Pod of the lab finds them by their names."""
    if not run("ip", "-o", "link", "show", "br0", check=False):
        pytest.skip("the hosts are on the lab's bridge, which this cluster has not")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        outside_host.certify(folder, HOSTS)
        for address in ADDRESSES.values():
            run("ip", "addr", "add", f"{address}/32", "dev", "br0", check=False)
        apply([*named(), *trusting(folder / outside_host.CA)])
        with outside_host.serving(folder, [f"{address}:8443" for address in ADDRESSES.values()], HOSTS):
            yield folder
        kubectl("delete", "namespace", PAY, "--wait=false")
        kubectl("delete", "envoyfilters.networking.istio.io", "outside-authority", "-n", "istio-system")


def named():
    """The Services that give the hosts their names; the mesh does not see them."""
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PAY}}
    for host, address in ADDRESSES.items():
        metadata = {"annotations": {"networking.istio.io/exportTo": "~"}}
        one = manifest(
            PAY, "v1", "Service", host.partition(".")[0], spec={"clusterIP": address, "ports": [{"port": 1}]}
        )
        yield {**one, "metadata": {**one["metadata"], **metadata}}


def trusting(authority):
    patches = [
        {
            "applyTo": "CLUSTER",
            "match": {"cluster": {"service": host}},
            "patch": {"operation": "MERGE", "value": {"transport_socket": _socket(host, authority)}},
        }
        for host in HOSTS
    ]
    spec = {"configPatches": patches}
    yield manifest("istio-system", "networking.istio.io/v1alpha3", "EnvoyFilter", "outside-authority", spec=spec)


def _socket(host, authority):
    names = [{"san_type": "DNS", "matcher": {"exact": host}}]
    context = {"trusted_ca": {"filename": str(authority)}, "match_typed_subject_alt_names": names}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "common_tls_context": {"validation_context": context},
        },
    }


@pytest.fixture(scope="module")
def mesh(outside):
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    apply([*surroundings(NAMESPACE, ["shop"], PORT), egress_gateway()])
    yield outside
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def egress_gateway():
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": list(HOSTS)}
    spec = {"selector": {"istio": "ingressgateway"}, "servers": [server]}
    return manifest(NAMESPACE, "networking.istio.io/v1", "Gateway", "egress", spec=spec)


class Group:
    """The spec of the shop that pays, in one of its states, as `load_mesh.Graylane` writes it."""

    def __init__(self, sandbox, **external):
        self.versions = {"prod": {"host": API}, "gray": {"host": sandbox}}
        self.external = {"port": 8443, "tls": "SIMPLE", **external}

    def spec(self):
        shop = {"host": "shop-svc", "port": PORT, "calls": ["pay"], "versions": {"prod": {"labels": {"app": "shop"}}}}
        pay = {"host": API, "port": 80, "external": self.external, "versions": self.versions}
        return yaml.safe_dump(
            {
                "apiVersion": "graylane/v1",
                "kind": "LaneGroup",
                "metadata": {"name": "outside", "namespace": NAMESPACE},
                "spec": {"lanes": {"prod": {}, "gray": {}}, "services": {"shop": shop, "pay": pay}},
            }
        )


def stop(out):
    return out.with_suffix(".stop")


def stopped(out):
    """All requests, once the Pod has ended its last one."""
    stop(out).touch()
    time.sleep(load.TIMEOUT / 5)
    return load.read(out)


def caller(out):
    """A Pod that pays until it is told to stop, in two lanes, through its own sidecar."""
    sends = ["--address", f"{API}:80", "--host", API, "--path", "/pay", "--tag=", "--tag=gray", "--out", str(out)]
    bounds = ["--rate", str(RATE), "--seconds", str(LONGEST), "--connections", "12"]
    headers = ["--header", BAGGAGE, "--header", "x-graylane-trail: shop/{tag}"]
    loads = shlex.join([sys.executable, load.__file__, *sends, *bounds, *headers])
    ready = f"until curl -sf -o /dev/null http://{API}/; do sleep 0.2; done"
    labels = {"app": "shop"}
    going_on = f"while [ ! -e {stop(out)} ]; do sleep 0.2; done"
    command = ["sh", "-c", f"{ready}; {going_on} | {loads}; exec sleep infinity"]
    container = {"name": "app", "image": "graylane-test-backend", "command": command}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return manifest(NAMESPACE, "apps/v1", "Deployment", "shop-prod", spec=spec)


def test_no_request_is_lost_and_no_tag_is_outside_while_the_sandbox_is_switched(mesh, tmp_path):
    graylane, out = Graylane(tmp_path, NAMESPACE), mesh / "requests.jsonl"
    graylane.apply(Group(SANDBOX))
    apply([caller(out)])
    changes = [(0.0, 0.0, SANDBOX)]
    until(lambda: out.exists() and len(load.read(out)) > ENOUGH / 10, "the first requests")
    for to in (OTHER, SANDBOX):
        began = time.monotonic()
        graylane.apply(Group(to))
        changes.append((began, time.monotonic(), to))
        count = len(load.read(out)) + ENOUGH // 10
        until(lambda count=count: len(load.read(out)) > count, "requests after a switch")
    until(lambda: len(load.read(out)) >= ENOUGH, f"{ENOUGH} requests")
    rows = stopped(out)
    found = Counter(judged(row, changes) for row in rows)
    print(f"\n{len(rows)} requests in two lanes through two switches of the sandbox: {dict(found)}")
    assert found.keys() == {"right"}, [row for row in rows if judged(row, changes) != "right"][:5]
    assert {row.chain[0][0] for row in rows} == {*HOSTS}


def judged(row, changes):
    """`right`, `lost`, `wrong` or `tag outside`, by what may have been in force while the request was under way."""
    if row.error or row.status != 200 or not row.chain:
        return "lost"
    host, left = row.chain[0]
    if left != "clean":
        return "tag outside"
    return "right" if host in (allowed(row, changes) if row.tag else {API}) else "wrong"


def allowed(row, changes):
    """The sandboxes of a request: those of all changes that it may have met."""
    found = set()
    for number, (began, _, to) in enumerate(changes):
        after = changes[number + 1][1] if number + 1 < len(changes) else float("inf")
        if began <= row.ended and row.sent <= after:
            found.add(to)
    return found


def let_the_gateway_out():
    """The lab's gateway has no way to addresses beyond its Pods' network, as no gateway needed one."""
    place = f"{os.environ.get('LAB_STATE', Path(tempfile.gettempdir()) / 'lab')}/pod-istio-system-"
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            if place in (folder / "cmdline").read_text():
                run("nsenter", "-t", folder.name, "-n", "ip", "route", "replace", "10.96.210.0/24", "via", "10.244.0.1")


def test_by_an_egress_gateway_too_the_lane_decides_and_no_tag_is_outside(mesh, tmp_path):
    graylane, out = Graylane(tmp_path, NAMESPACE), mesh / "egress.jsonl"
    egress = {"gateway": f"{NAMESPACE}/egress", "service": "istio-ingressgateway.istio-system"}
    let_the_gateway_out()
    graylane.apply(Group(SANDBOX, egress=egress))
    kubectl("delete", "deployment", "shop-prod", "-n", NAMESPACE, "--ignore-not-found")
    apply([caller(out)])
    until(lambda: out.exists() and len(load.read(out)) >= 200, "requests by the egress gateway")
    rows = stopped(out)
    assert {(row.tag, row.error, row.chain) for row in rows} == {
        ("", "", ((API, "clean"),)),
        ("gray", "", ((SANDBOX, "clean"),)),
    }
