"""Hosts outside the mesh, behind TLS: while requests leave in two lanes, the sandbox is switched twice. None is lost,
none is at the wrong host, and no tag is outside. The hosts are processes on the lab's network.

Their names are those of Services that the mesh does not see, as the lab's /etc/hosts has the names of Services alone;
so `api.pay` is Service api in namespace pay. The lab has no istio-agent, which gives proxies the files of a
DestinationRule's TLS: an EnvoyFilter names the authority's file in its place.
"""

import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import load
import outside_host
import pytest
import yaml
from account import Account
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from load_mesh import Graylane, apply
from mesh_cluster import HTTP_ROUTES, answered, kubectl, until
from mesh_cluster import NAMESPACE as EVERYBODY
from mesh_namespace import manifest, surroundings
from random_specs import OUTSIDE, asked, outside_specs

from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.istio import Resources
from meshconfig.load import parse
from meshconfig.render import render
from meshconfig.simulate import Destination, DirectResponse, Failure, Index, Request, simulate

pytestmark = pytest.mark.cluster
NAMESPACE, PAY, PORT = "graylane-outside", "pay", 9001
API, SANDBOX, OTHER, MAIL = HOSTS = ("api.pay", "sandbox.pay", "sandbox2.pay", "mail.pay")
ADDRESSES = {host: f"10.96.210.{number}" for number, host in enumerate(HOSTS, 1)}
ENOUGH, RATE, LONGEST = 10_000, 160.0, 400.0
# A connection with its handshake has as long as an answer. With Istio's 10 s, hosts that stood still for as long lost a
# request now and then: it had met three connections that were not ready in time.
PATIENT = {"connectionPool": {"tcp": {"connectTimeout": f"{load.TIMEOUT:.0f}s"}}}
SPECS = 8
OPERATOR = Account("rbac", "graylane", gateway_api=True)
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


# What the group leaves, its history and locks included; the Gateway `egress` is everybody's.
KINDS = "virtualservices", "destinationrules", "serviceentries"
OF_GROUP = ",".join([*(f"{one}.networking.istio.io" for one in KINDS), "configmaps", "leases"])


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

    def __init__(self, sandbox, backend="istio", **external):
        self.backend = backend
        self.versions = {"prod": {"host": API}, "gray": {"host": sandbox}}
        self.external = {"port": 8443, "tls": "SIMPLE", **external}

    def spec(self):
        shop = {"host": "shop-svc", "port": PORT, "calls": ["pay"], "versions": {"prod": {"labels": {"app": "shop"}}}}
        pay = {"host": API, "port": 80, "external": self.external, "versions": self.versions, "trafficPolicy": PATIENT}
        return yaml.safe_dump(
            {
                "apiVersion": "graylane/v1",
                "kind": "LaneGroup",
                "metadata": {"name": "outside", "namespace": NAMESPACE},
                "spec": {
                    "backend": self.backend,
                    "lanes": {"prod": {}, "gray": {}},
                    "services": {"shop": shop, "pay": pay},
                },
            }
        )


def stop(out):
    return out.with_suffix(".stop")


def ended(out):
    return out.with_suffix(".ended")


def stopped(out):
    """All requests, once the Pod has ended its last one."""
    stop(out).touch()
    until(ended(out).exists, "the end of the last request")
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
    command = ["sh", "-c", f"{ready}; {going_on} | {loads}; touch {ended(out)}; exec sleep infinity"]
    container = {"name": "app", "image": "graylane-test-backend", "command": command}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return manifest(NAMESPACE, "apps/v1", "Deployment", "shop-prod", spec=spec)


def test_no_request_is_lost_and_no_tag_is_outside_while_the_sandbox_is_switched(mesh, tmp_path):
    check_switches(Graylane(tmp_path, NAMESPACE), mesh / "requests.jsonl", Group, (OTHER, SANDBOX), ENOUGH)


def test_no_request_is_lost_where_http_routes_lead_outside(mesh, tmp_path):
    nothing_there()
    graylane = Graylane(tmp_path, NAMESPACE, operator=OPERATOR)
    check_switches(graylane, mesh / "routes.jsonl", partial(Group, backend="gateway"), (OTHER,), ENOUGH // 5)
    graylane.run("delete", "-f", str(graylane.spec))
    left = kubectl("get", f"{HTTP_ROUTES},serviceentries.networking.istio.io", "-n", NAMESPACE, "-o", "name").stdout
    assert not left


def test_no_request_is_lost_while_the_group_moves_to_the_gateway_api_and_back(mesh, tmp_path):
    nothing_there()
    graylane = Graylane(tmp_path, NAMESPACE, operator=OPERATOR)
    move = ("move", "-f", str(graylane.spec), "--to")

    def back():
        assert graylane.cut_off(*move, "istio", steps=1, seconds=0.3), "it had ended before"
        graylane.run(*move, "istio")

    graylane.apply(Group(SANDBOX))
    moves = [(partial(graylane.run, *move, "gateway"), SANDBOX), (back, SANDBOX)]
    rows = check_changes(mesh / "moves.jsonl", SANDBOX, moves, ENOUGH // 5)
    assert hosts_of(rows) == {API, SANDBOX}
    assert not kubectl("get", HTTP_ROUTES, "-n", NAMESPACE, "-o", "name").stdout


def nothing_there():
    kubectl("delete", OF_GROUP, "--all", "-n", NAMESPACE)
    kubectl("delete", "deployment", "shop-prod", "-n", NAMESPACE, "--ignore-not-found")


def check_switches(graylane, out, group, sandboxes, enough):
    """The sandbox is switched to each of these, while a Pod pays so many times."""
    graylane.apply(group(SANDBOX))
    rows = check_changes(out, SANDBOX, [(partial(graylane.apply, group(to)), to) for to in sandboxes], enough)
    assert hosts_of(rows) == {API, SANDBOX, OTHER}


def check_changes(out, first, changes, enough):
    """All requests of a Pod that pays so many times, while each of the changes is made.

    Parameters:
        first: the sandbox at first.
        changes: what makes each, and the sandbox afterwards.
    """
    apply([caller(out)])
    made = [(0.0, 0.0, first)]
    until(lambda: out.exists() and load.count_ended(out) > enough / 10, "the first requests", LONGEST)
    for change, to in changes:
        began = time.monotonic()
        change()
        made.append((began, time.monotonic(), to))
        count = load.count_ended(out) + enough // 10
        until(lambda count=count: load.count_ended(out) > count, "requests after a change", LONGEST)
    until(lambda: load.count_ended(out) >= enough, f"{enough} requests", LONGEST)
    rows = stopped(out)
    found = Counter(judged(row, made) for row in rows)
    print(f"\n{len(rows)} requests in two lanes through {len(changes)} changes: {dict(found)}")
    assert found.keys() == {"right"}, why(rows, made)
    return rows


def hosts_of(rows):
    return {row.chain[0][0] for row in rows}


def judged(row, changes):
    """`right`, `lost`, `wrong` or `tag outside`, by what may have been in force while the request was under way."""
    if row.error or row.status != 200 or not row.chain:
        return "lost"
    host, left = row.chain[0]
    if left != "clean":
        return "tag outside"
    return "right" if host in (allowed(row, changes) if row.tag else {API}) else "wrong"


def why(rows, changes):
    """As text: what was not right, and how long other requests took meanwhile. Where these are many and short, neither
    the hosts nor the machine stood still."""
    lines = []
    for row in [row for row in rows if judged(row, changes) != "right"][:5]:
        others = [one for one in rows if one is not row and one.sent <= row.ended and row.sent <= one.ended]
        longest = max((one.ended - one.sent for one in others), default=0.0)
        lines.append(f"{judged(row, changes)}: {row}; meanwhile {len(others)} others, {longest:.1f} s at most")
    return "\n".join(lines)


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
    until(lambda: out.exists() and load.count_ended(out) >= 200, "requests by the egress gateway")
    rows = stopped(out)
    assert {(row.tag, row.error, row.chain) for row in rows} == {
        ("", "", ((API, "clean"),)),
        ("gray", "", ((SANDBOX, "clean"),)),
    }


@st.composite
def cases(draw):
    """A group that has a service outside the mesh, with the hosts of this test, and requests to these hosts."""
    text = yaml.safe_dump(draw(outside_specs({"port": 8443, "tls": "SIMPLE"})))
    for name, host in zip(OUTSIDE, HOSTS, strict=True):
        text = text.replace(name, host)
    try:
        (group,) = groups(parse(text.replace("namespace: demo", f"namespace: {EVERYBODY}"), "random.yaml"))
    except InputError:
        reject()
    (pay,) = (one for one in group.model.services if one.outside)
    hosts = tuple(table.host for table in pay.mesh_tables)
    return group, draw(st.lists(asked(hosts).filter(lambda one: one[0] in hosts), min_size=6, max_size=10))


def decided(decision):
    """(status, host, what it sees of the tag and of baggage) of each outcome."""
    for share in decision.shares:
        match share.outcome:
            case Destination() as one:
                yield 200, one.authority, watched(one.headers)
            case DirectResponse() | Failure() as one:
                yield one.status, "", ()
            case other:
                raise AssertionError(other)


def watched(headers):
    return tuple(sorted((name, value) for name, value in headers if name in ("env", "baggage", "x-graylane-trail")))


def test_simulate_and_sidecars_decide_alike_of_hosts_outside(outside, cluster):
    counted = Counter()

    @settings(
        max_examples=SPECS,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases())
    def check(case):
        group, requests = case
        manifests = render([group.model])
        cluster.apply(manifests)
        index = Index(Resources.parse(manifests))
        for host, method, path, headers in requests:
            request = Request(host, path, method, headers, source_namespace=EVERYBODY, port=80)
            chances = set(decided(simulate(index, request)))
            sends = [("x-ask", f"{method} http://{host}{path}"), ("x-ask-headers", json.dumps(headers))]
            got = met(answered(partial(cluster.ask_gateway, "probe.graylane.test", "/", sends)))
            assert got in chances, (request, got, chances)
            counted[got[0]] += 1

    check()
    print(f"\n{SPECS} specs with hosts outside, requests by status: {dict(counted)}")
    assert counted[200]


def met(reply):
    """(status, host, what it saw) of the answer that the probe's Pod got."""
    if (status := int(reply.body.get("status", 0))) != 200:
        return status, "", ()
    said = json.loads(reply.body["body"])
    return 200, said["chain"][0]["service"], watched([(name, value) for name, value in said["headers"]])
