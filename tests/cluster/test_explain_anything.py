"""For manifests in other people's styles, `explain` says of each request what the real Istio does with it: at the
gateway, on any port, and from the sidecars of two namespaces. The manifests are read back with `--live`, too."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest
import yaml
from explained_mesh import Mesh, pods
from foreign_manifests import AWAY, BARE, HOME, Inside, Outside, kind, rule, says, service, vs
from foreign_styles import cases
from kubernetes.client import ApiClient
from mesh_cluster import acknowledged, kubectl, until

from meshconfig.cli.explain_input import read
from meshconfig.cluster.client import Client
from meshconfig.cluster.rights import Account, account, for_cluster, for_root
from meshconfig.cluster.snapshot import read_routing
from meshconfig.errors import ApiError, ClusterError
from meshconfig.explain import Asked, Cluster, Names, request
from meshconfig.simulate import Destination, DirectResponse, Failure, Passthrough, Redirect, simulate

pytestmark = pytest.mark.cluster

SAMPLES = 25  # requests where the answer is a matter of chance
PATIENCE = 6.0
MANY = 12  # disagreements after which nothing more is asked
MARKER = "marker.explain.test"


def surroundings() -> list[dict]:
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one, "labels": {"istio-injection": "enabled"}}}
        for one in (HOME, AWAY, BARE)
    ]
    return [
        *namespaces,
        *(pods("web", version) for version in ("v1", "v2")),
        pods("api", "v1"),
        *(pods("probe", one, one) for one in (HOME, AWAY)),
        service("web", (80, "http")),
        service("api", (80, "http"), app="api"),
        rule("web", "web", "v1", "v2"),
        vs("marker", [MARKER], says(299), gateways=["marker", "mesh"]),
        kind("Gateway", "marker", {"selector": {"istio": "ingressgateway"}, "servers": [
            {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [MARKER]}
        ]}),
    ]  # fmt: skip


def expected(decision) -> Counter:
    """(status, workload, path) → probability; None as status where Istio does not route the request."""
    chances: Counter = Counter()
    for share in decision.shares:
        match share.outcome:
            case Destination() as one if one.workloads:
                for workload in one.workloads:
                    chances[(200, workload, one.path.replace("//", "/"))] += share.probability / len(one.workloads)
            case Destination():
                chances[(503, "", "")] += share.probability
            case Redirect() as one:
                chances[(one.status, "", one.location)] += share.probability
            case DirectResponse() | Failure() as one:
                chances[(one.status, "", "")] += share.probability
            case Passthrough():
                chances[(None, "", "")] += share.probability
            case other:
                raise AssertionError(other)
    return chances


def fits(got: tuple, chances: Counter) -> bool:
    if got in chances:
        return True
    # A connection that is closed after it was accepted may come back as the sidecar's 503, or not at all.
    if (0, "", "") in chances and got[0] in (0, 503):
        return True
    # What Istio does not route goes to the address itself: to a Pod there, or to nobody.
    return (None, "", "") in chances and got[0] in (0, 200, 502, 503)


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    if "GRAYLANE_GATEWAY" in os.environ:
        pytest.skip("these tests call the gateway's Pod itself, on ports that no Service has")
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(surroundings()))
    for one in (HOME, AWAY):
        kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", one, "--timeout=110s")
    yield Mesh()
    kubectl("delete", "namespace", HOME, AWAY, BARE, "--wait=false")
    for case in cases():
        if gone := [one for one in case.manifests if one["metadata"]["namespace"] == "istio-system"]:
            kubectl("delete", "--ignore-not-found", "-f", "-", stdin=yaml.safe_dump_all(gone))


def asked_of(names: Names, one: Outside | Inside):
    """What the command line would make of it."""
    host = f"{one.host}:{one.port}"
    source = None if isinstance(one, Outside) else f"{one.namespace}/probe-{one.namespace}"
    gateway = None
    return request(names, Asked(host, one.path, one.headers, one.method, source, gateway=gateway))[0]


def disagreement(mesh: Mesh, decision, one) -> str:
    """What the mesh does against the decision; empty where they agree."""
    chances = expected(decision)
    end = time.monotonic() + PATIENCE
    while True:
        times = 1 if len(decision.shares) == 1 else SAMPLES
        got = Counter(mesh.ask(one) for _ in range(times))
        if all(fits(each, chances) for each in got):
            break
        if time.monotonic() > end:
            return f"{one}: Istio {dict(got)}, explain {dict(chances)}"
        time.sleep(0.5)
    missed = [each for each, chance in chances.items() if chance >= 0.3 and times > 1 and each not in got]
    return f"{one}: {missed} never came, {dict(got)}" if missed else ""


def test_other_peoples_manifests(mesh, tmp_path):
    table = cases()
    manifests = [one for case in table for one in case.manifests]
    assert len(manifests) >= 200
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(manifests))
    settle(mesh)
    file = tmp_path / "all.yaml"
    known = json.loads(kubectl("get", "services,deployments", "-n", "istio-system", "-o", "json").stdout)
    file.write_text(yaml.safe_dump_all([*surroundings(), *manifests, known]))
    found = read_routing(Client.connect(), None)
    given = {
        "files": Names(read([str(file)], "default")),
        "live": Names(read([], "default", Cluster(found.manifests, found.whole, found.notes))),
    }
    mesh = Mesh()
    failed, asked, open_ones = [], 0, 0
    for case in table:
        for one in case.asked:
            decision, again = (simulate(names.given.index, asked_of(names, one)) for names in given.values())
            asked += 1
            if any("headless" in why for why in decision.undecided):
                open_ones += 1
            elif expected(decision) != expected(again):
                failed.append(f"{case.name}: {one}: by files {decision}, by --live {again}")
            elif said := disagreement(mesh, decision, one):
                failed.append(f"{case.name}: {said}")
            assert len(failed) < MANY, "\n".join(failed)
    print(
        f"\n{len(table)} cases, {len(manifests)} manifests, {asked} requests, {open_ones} open, {len(failed)} disagree"
    )
    assert not failed, "\n".join(failed)


def test_the_accounts_rights_suffice_and_are_no_more(mesh):
    """As the account of k8s/explain, by impersonation."""
    name: Account = "graylane-explain"
    api = ApiClient(Client.connect().configuration)
    api.set_default_header("Impersonate-User", f"system:serviceaccount:{HOME}:{name}")
    client = Client(api)
    with pytest.raises(ClusterError, match=f"may not list .* in namespace {HOME}"):
        read_routing(client, HOME)
    kubectl("apply", "-f", "-", stdin=account(name, HOME))
    until(lambda: not refused(client, HOME), "the account's rights")
    alone = read_routing(client, HOME)
    assert alone.notes == (
        "namespace istio-system could not be read (forbidden), and its resources may change this answer",
    )
    kubectl("apply", "-f", "-", stdin=for_root(name, HOME))
    until(lambda: not read_routing(client, HOME).notes, "the rights in the root namespace")
    assert refused(client, AWAY)
    assert refused(client, None)
    kubectl("apply", "-f", "-", stdin=for_cluster(name, HOME))
    until(lambda: not refused(client, None), "the rights everywhere")
    assert read_routing(client, None).notes == ()
    for plural in ("secrets", "configmaps"):
        with pytest.raises(ApiError, match="forbidden"):
            client.get(f"/api/v1/namespaces/{HOME}/{plural}")
    for manifests in (for_root(name, HOME), for_cluster(name, HOME)):
        kubectl("delete", "--ignore-not-found", "-f", "-", stdin=manifests)


def refused(client: Client, namespace: str | None) -> bool:
    try:
        read_routing(client, namespace)
    except ClusterError as error:
        return "this account may not list" in str(error)
    return False


def settle(mesh: Mesh) -> None:
    """Wait until the gateway and both senders have the marker's newest answer."""
    for status in (298, 299):
        kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(
            vs("marker", [MARKER], says(status), gateways=["marker", "mesh"])
        ))  # fmt: skip
        until(partial(lambda wanted: mesh.ask(Outside(MARKER, 80))[0] == wanted, status), "the gateway's routes")
        for space in (HOME, AWAY):
            dialled = Inside(MARKER, 80, "web", space)
            until(partial(lambda wanted, one: mesh.ask(one)[0] == wanted, status, dialled), "the senders' routes")
    until(acknowledged, "every proxy's acknowledgement")
