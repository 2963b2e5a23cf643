"""What `rollback` gives back after an adoption is stored in a ConfigMap: a forged one reaches nothing of others."""

import base64
import gzip
import json
import random

import pytest
from rollout_world import GROUP, group
from runner_world import AT_ONCE, cluster, mesh

from meshconfig.cluster import history, paths, revision
from meshconfig.cluster.objects import Key
from meshconfig.errors import InputError

__all__ = ["cluster", "mesh"]

PETS = ("pets", "-n", "demo")
ISTIO = "networking.istio.io/v1"
ROUTE = [{"route": [{"destination": {"host": "cat-svc"}}]}]
FIRST = "graylane-pets-r1"


def manifest(name="old", kind="VirtualService", api=ISTIO, spec=None, namespace="demo", **more):
    given = {"hosts": ["cat-svc"], "http": ROUTE} if spec is None else spec
    metadata = {"name": name, "namespace": namespace, "labels": {}, **more}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": given}


def forge(mesh, *originals):
    stored = mesh.api.get("configmaps", FIRST)
    packed = gzip.compress(json.dumps(originals).encode())
    stored["binaryData"]["adopted"] = base64.b64encode(packed).decode()


def writes(mesh):
    """The paths of what was written, except graylane's own records."""
    return [path for method, path in mesh.api.seen if method != "GET" and "/configmaps" not in path]


# The name is that of a path to another namespace, of a query, or of nothing.
NAMES = ["x/../../../bank/virtualservices/ledger", "x?dryRun=All&", "x#", "..", "", "Cat", "a" * 254, "x\n::error::y"]
NOT_GRAYLANES = {"app.kubernetes.io/managed-by": "graylane", "graylane.dev/group": "birds"}
UNREADABLE = [
    *(pytest.param(manifest(name), id=f"the name {name[:40]!r}") for name in NAMES),
    pytest.param(manifest(namespace="demo/../bank"), id="a namespace that is a path"),
    pytest.param(manifest(namespace=3), id="a namespace that is a number"),
    pytest.param(manifest(api="v1"), id="another API"),
    pytest.param(manifest(api="networking.istio.io"), id="an API without a version"),
    pytest.param(manifest(api="networking.istio.io/.."), id="an API that is a path"),
    pytest.param(manifest(api="networking.istio.io/v9"), id="a version that there is not"),
    pytest.param(manifest(kind="ClusterRole", api="rbac.authorization.k8s.io/v1"), id="a kind that is no route"),
    pytest.param(manifest(kind="ConfigMap", api="v1"), id="a ConfigMap with a spec"),
    pytest.param(manifest(labels=NOT_GRAYLANES), id="the label of another group"),
    pytest.param(manifest(labels={"v": 1}), id="a label that is a number"),
    pytest.param(manifest(labels=[["v", "v1"]]), id="labels that are a list"),
    pytest.param(manifest(annotations="x"), id="annotations that are a text"),
    pytest.param(manifest(spec=[["hosts", ["cat-svc"]]]), id="a spec that is a list"),
    pytest.param(7, id="a number"),
    pytest.param(None, id="nothing"),
]


@pytest.mark.slow
@pytest.mark.parametrize("forged", UNREADABLE)
def test_a_revision_with_an_original_that_is_none_counts_for_nothing(mesh, run, forged):
    forge(mesh, forged)
    mesh.api.seen.clear()
    text = run("rollback", *PETS, "--to", "0", *AT_ONCE, code=2)
    assert f"ConfigMap demo/{FIRST} is no revision of graylane and cannot be read" in text
    assert len(text.splitlines()) == 1
    assert writes(mesh) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"hosts": 5, "http": 7},
        {"hosts": ["cat-svc"], "http": "abc"},
        {"hosts": ["cat-svc"], "http": [{"match": [5], "route": [{"destination": 5}]}]},
        {"hosts": [{}], "http": ROUTE},
    ],
)
def test_an_original_with_fields_of_other_types_is_a_line_for_each(mesh, run, spec):
    forge(mesh, manifest(spec=spec))
    mesh.api.seen.clear()
    text = run("rollback", *PETS, "--to", "0", *AT_ONCE, code=2)
    assert all(line.startswith("VirtualService old: spec.") for line in text.splitlines())
    assert writes(mesh) == []


def routes(*hosts, gateways=None):
    return {"hosts": list(hosts), "http": ROUTE, **({"gateways": gateways} if gateways else {})}


ELSEWHERE = [
    (manifest(namespace="kube-system"), "--allow-namespace kube-system"),
    (manifest(spec=routes("pay.bank.svc.cluster.local")), "--allow-namespace bank"),
    (manifest(spec=routes("cat-svc", "PAY.bank.svc.cluster.local")), "--allow-namespace bank"),
    (manifest(spec=routes("*.bank.svc.cluster.local")), "--allow-namespace bank"),
    (manifest(spec=routes("pay.bank.svc.cluster.local", gateways=["demo/edge", "mesh"])), "--allow-namespace bank"),
    (manifest(spec=routes("pay.bank.svc")), "pay.bank.svc"),
    (manifest(spec=routes("api.example.org")), "api.example.org"),
    (manifest(spec=routes("*")), "a file of your own"),
    (manifest(spec=routes("*.svc.cluster.local")), "a file of your own"),
    (manifest(kind="DestinationRule", spec={"host": "pay.bank.svc.cluster.local"}), "--allow-namespace bank"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("forged", "said"), ELSEWHERE)
def test_originals_route_no_host_in_the_mesh_that_is_elsewhere(mesh, run, forged, said):
    forge(mesh, manifest("fine"), forged)
    mesh.api.seen.clear()
    text = run("rollback", *PETS, "--to", "0", *AT_ONCE, code=1)
    assert "nothing was changed" in text
    assert said in text
    assert len(text.splitlines()) == 1
    assert writes(mesh) == []


def test_hosts_elsewhere_are_given_back_where_the_caller_allows_their_namespace(mesh, run):
    forge(mesh, manifest(spec=routes("pay.bank.svc.cluster.local")))
    run("rollback", *PETS, "--to", "0", "--allow-namespace", "bank", *AT_ONCE)
    assert mesh.routes() == {("virtualservices", "old"): routes("pay.bank.svc.cluster.local")}


OUTSIDE = GROUP.replace("host: cat-svc", "host: api.example.org")


def test_a_host_outside_of_the_cluster_is_rolled_back_while_the_group_routes_it(mesh, run):
    mesh.apply(group(OUTSIDE))
    mesh.apply(group(OUTSIDE.replace("cat.example.com", "other.example.com")))
    run("rollback", *PETS, *AT_ONCE)
    assert ("virtualservices", "cat-example-com") in mesh.routes()
    mesh.apply(group())
    text = run("rollback", *PETS, *AT_ONCE, code=1)
    assert "would route api.example.org in the mesh" in text
    assert ("virtualservices", "cat-svc") in mesh.routes()


def test_a_revision_of_more_bytes_than_were_ever_written_does_not_stand_in_the_way(mesh, run, tmp_path):
    noise = random.Random(7).randbytes(500_000).hex()
    forge(mesh, manifest(annotations={"noise": noise}))
    huge = manifest(annotations={"noise": noise + random.Random(8).randbytes(530_000).hex()})
    assert history.read(mesh.client, "demo", "pets").last.adopted, "so much fits"
    forge(mesh, huge)
    (error,) = history.read(mesh.client, "demo", "pets").unreadable
    assert "more than a revision may have" in str(error)
    file = tmp_path / "graylane.yaml"
    file.write_text(GROUP)
    run("apply", "-f", file, *AT_ONCE)
    run("delete", "-f", file, *AT_ONCE)
    assert mesh.routes() == {}
    assert revision.READ < 1 << 20


@pytest.mark.parametrize("name", ["a/../../b", "a?b", "a#b", "a%2fb", "a b", "ä"])
def test_a_name_is_one_part_of_a_path(name):
    found = paths.path(Key("VirtualService", name, name))
    assert found.startswith("/apis/networking.istio.io/v1/namespaces/")
    assert found.count("/") == len("/apis/networking.istio.io/v1/namespaces/N/virtualservices/N".split("/")) - 1
    assert not set(found) & set("?# ä")


@pytest.mark.parametrize("name", [".", ".."])
def test_dots_are_no_name(name):
    with pytest.raises(InputError, match="is no name of a resource or a namespace"):
        paths.path(Key("VirtualService", "demo", name))
    with pytest.raises(InputError):
        paths.collection("VirtualService", name)
