"""k8s/rbac is enough and no more: with it a group lives its whole life, uses each right on the way, and can do nothing
else; who may only read can look and change nothing."""

import sys

import asked
import pytest
import yaml
from account import account, rights
from mesh_cluster import ISTIOD, PORT, kubectl, own_kinds

from meshconfig.cli import main
from meshconfig.cluster.client import Client

pytestmark = pytest.mark.cluster
NAMESPACE, GROUP = "graylane-rbac", "pets"


@pytest.fixture(scope="module", autouse=True)
def namespace():
    """With Services and Deployments, but no Pods: nothing of this needs an answer."""
    own_kinds()
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    kubectl("create", "namespace", NAMESPACE)
    kubectl("label", "namespace", NAMESPACE, "istio-injection=enabled")
    there = [*map(service, ("cat", "mouse", "dog")), *map(deployment, ("dog-prod", "dog-next"))]
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(there))
    yield
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def service(name):
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta(f"{name}-svc"), "spec": spec}


def deployment(name):
    labels = {"workload": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "none"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(name), "spec": spec}


def meta(name):
    return {"name": name, "namespace": NAMESPACE}


@pytest.fixture
def use(monkeypatch, tmp_path):
    """This process is the account from now on, with the rights that are kept."""

    def become(keep=lambda resource, verb: True):
        monkeypatch.setenv("KUBECONFIG", str(account(NAMESPACE, tmp_path, keep)))

    return become


@pytest.fixture
def used(monkeypatch):
    """(where, resource, verb) of what the client has asked of the API server."""
    found, request = set(), Client.request

    def record(self, method, where, *arguments, **more):
        found.update(asked.rights(method, where, more.get("content_type", "")))
        return request(self, method, where, *arguments, **more)

    monkeypatch.setattr(Client, "request", record)
    return found


def spec(services=("cat", "mouse"), hosts=("cat.rbac.example.com",), maximum=5):
    """A group; with the mouse it also has a host outside the mesh and a consumer of messages."""
    one = {"labels": {"env": "prod"}, "autoscale": {"min": 1, "max": maximum}}
    within = {name: {"host": f"{name}-svc", "port": PORT, "versions": {"prod": one}} for name in services}
    spec = {
        "lanes": {"prod": {}},
        "services": within,
        "entries": [{"hosts": [host], "routes": [{"path": {"prefix": "/"}, "service": "cat"}]} for host in hosts],
    }
    if "mouse" in services:
        outside = {"host": "pay.rbac.example.com", "port": 443}
        spec["services"] = {
            **within,
            "pay": {**outside, "external": {}, "versions": {"live": {"host": outside["host"]}}},
        }
        spec["consumers"] = {"orders": {"topic": "orders", "versions": {"prod": "orders"}}}
    return document("LaneGroup", GROUP, spec)


def dogs():
    """Another group, so that its rollout keeps nobody from changing the first one."""
    versions = {name: {"labels": {"env": name}, "workload": f"dog-{name}"} for name in ("prod", "next")}
    services = {"dog": {"host": "dog-svc", "port": PORT, "versions": versions}}
    return document("LaneGroup", "dogs", {"lanes": {"prod": {}}, "services": services})


def rollout():
    moves = {"dog": {"from": "prod", "to": "next"}}
    return document("Rollout", "dog-next", {"group": "dogs", "services": moves, "steps": [{"weight": 100}]})


def document(kind, name, spec):
    return yaml.safe_dump({"apiVersion": "graylane/v1", "kind": kind, "metadata": meta(name), "spec": spec})


@pytest.fixture
def graylane(monkeypatch, capsys, tmp_path):
    """The exit code and the output of a command; `-f` is followed by a spec."""

    def run(*arguments):
        given = []
        for one in arguments:
            if one.startswith("apiVersion"):
                (tmp_path / "spec.yaml").write_text(one)
                one = str(tmp_path / "spec.yaml")
            given.append(one)
        monkeypatch.setattr(sys, "argv", ["graylane", *given])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return stopped.value.code or 0, printed.out + printed.err

    return run


NOW = ("--istiod", ISTIOD, "--drain=0")
ON_GROUP = (GROUP, "-n", NAMESPACE)
ON_ROLLOUT = ("dog-next", "-n", NAMESPACE)


def test_a_group_lives_its_whole_life_and_uses_every_right(use, used, graylane):
    use()
    life = [
        ("apply", "-f", spec(), *NOW),
        # Eleven more, so that the oldest revision goes; a service and an entry end on the way.
        *(("apply", "-f", spec(("cat",), (), maximum), *NOW) for maximum in range(6, 16)),
        ("diff", "-f", spec(("cat",), (), 15)),
        ("plan", "-f", spec()),
        ("status", *ON_GROUP),
        ("history", *ON_GROUP),
        ("rollback", *ON_GROUP, *NOW),
        ("delete", "-f", spec(), *NOW),
        # What people do to a rollout; what drives it has an account of its own.
        ("apply", "-f", dogs(), *NOW),
        ("rollout", "start", "-f", rollout()),
        ("rollout", "list", "-n", NAMESPACE),
        *(("rollout", word, *ON_ROLLOUT) for word in ("status", "pause", "resume", "abort")),
    ]
    for command in life:
        code, said = graylane(*command)
        assert code <= (command[0] in ("plan", "status")), f"{command}: {said}"  # 1: a change, and no Pods
        assert "forbidden" not in said, said
    # The lab's istiod is no Pod, so that it is not read through the API server. Whether a controller of all namespaces
    # drives rollouts is asked, and where that is forbidden, it counts as being so.
    elsewhere = {("istio-system", "pods", "list"), ("graylane-system", "leases", "get")}
    assert used - elsewhere == {one for one in rights(NAMESPACE) if one[0] == NAMESPACE}


def test_it_may_nothing_else(tmp_path):
    config = account(NAMESPACE, tmp_path)
    for place in (NAMESPACE, "istio-system", "default"):
        assert asked.allowed(config, place) == {
            (place, what, verb) for where, what, verb in rights(NAMESPACE) if where == place
        }


def test_who_may_only_read_sees_all_and_changes_nothing(use, graylane):
    use()
    assert graylane("apply", "-f", spec(), *NOW)[0] == 0
    use(lambda resource, verb: verb in ("get", "list"))
    assert graylane("diff", "-f", spec()) == (0, "no difference\n")
    assert "forbidden" not in graylane("status", *ON_GROUP)[1]
    assert "succeeded" in graylane("history", *ON_GROUP)[1]
    code, said = graylane("apply", "-f", spec(("cat",)), *NOW)
    assert code == 1
    assert "forbidden" in said
    assert graylane("diff", "-f", spec()) == (0, "no difference\n")
