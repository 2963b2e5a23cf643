"""The life of the chart on a real API server: kinds that were there before, an installation whose Pods are admitted as
`restricted` and make a LaneGroup true, an upgrade that changes a kind, and an uninstallation, which is refused while an
object needs the controller, and leaves the kinds.

The controller runs as the chart's Pods, in the lab by tests/cluster/controller_pod.py.
"""

import json
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import asked
import pytest
import yaml
from account import CONTROLLER, kubeconfig, rights
from go_modules import PROMETHEUS_OPERATOR, folder
from helm import helm
from load_objects import Objects
from mesh_cluster import ADMIN, ISTIOD, PORT, kubectl, own_kinds, until
from played_jobs import jobs_played
from tcp_forwarder import Forwarder

from meshconfig.crds import definitions

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif("LAB_STATE" not in os.environ, reason="the Pods' image is a process of the lab"),
]
ROOT = Path(__file__).parents[2]
HOME, NAMESPACE, SECOND = "graylane-system", "graylane-install", "graylane-install-2"
NAME, GROUP = "graylane-controller", "pets"
POD_CONFIG = Path(os.environ.get("LAB_STATE", "/nowhere")) / "controller.kubeconfig"
RELEASE = ("graylane", "-n", HOME)
KINDS = [one["metadata"]["name"] for one in definitions()]


def manifest(api, kind, name, **parts):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **parts}


def service():
    spec = {"selector": {"app": "cat"}, "ports": [{"name": "http", "port": PORT, "targetPort": PORT}]}
    return manifest("v1", "Service", "cat-svc", spec=spec)


def deployment(version):
    labels = {"app": "cat", "version": version}
    arguments = ["--name=cat", f"--env={version}", f"--port={PORT}"]
    ports = [{"containerPort": PORT}]
    container = {"name": "app", "image": "graylane-test-backend", "args": arguments, "ports": ports}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return manifest(
        "apps/v1", "Deployment", f"cat-{version}", spec={"selector": {"matchLabels": labels}, "template": template}
    )


class Group:
    """The LaneGroup, with or without a lane for v2."""

    def __init__(self, *lanes):
        self.lanes = lanes

    def spec(self):
        versions = {name: {"labels": {"version": name}} for name in ("v1", "v2")}
        services = {"cat": {"host": "cat-svc", "port": PORT, "default": "v1", "versions": versions}}
        lanes = {"prod": {"versions": {"cat": "v1"}}, **{name: {"versions": {"cat": "v2"}} for name in self.lanes}}
        value = manifest("graylane.dev/v1", "LaneGroup", GROUP, spec={"lanes": lanes, "services": services})
        return yaml.safe_dump(value)


@pytest.fixture(scope="module", autouse=True)
def namespaces():
    own_kinds()
    POD_CONFIG.unlink(missing_ok=True)
    for name in (HOME, NAMESPACE, SECOND):
        kubectl("delete", "namespace", name, "--ignore-not-found")
    kubectl("apply", "-f", str(ROOT / "k8s" / "controller" / "00-namespace.yaml"))
    for name in (NAMESPACE, SECOND):
        kubectl("create", "namespace", name)
        kubectl("label", "namespace", name, "istio-injection=enabled")
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([service(), *map(deployment, ("v1", "v2"))]))
    kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", NAMESPACE, "--timeout=110s")
    yield
    kubectl("delete", "lanegroups.graylane.dev", "--all", "-n", NAMESPACE, "--wait=false")
    for name in (HOME, NAMESPACE, SECOND):
        kubectl("delete", "namespace", name, "--wait=false")
    POD_CONFIG.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def istiod():
    """The URL of istiod's debug pages for a Pod: istiod answers its own host alone."""
    server = urlsplit(json.loads(kubectl("config", "view", "-o", "json").stdout)["clusters"][0]["cluster"]["server"])
    there = urlsplit(ISTIOD)
    with Forwarder((there.hostname, there.port), server.hostname) as way:
        yield f"http://{server.hostname}:{way.port}"


class Release:
    """The chart, as an administrator installs it."""

    def __init__(self, folder, **values):
        self.folder, self.chart = folder, ROOT / "k8s" / "chart"
        self.values = {"namespaces": [NAMESPACE], "image": {"repository": "lab/graylane"}, **values}

    def helm(self, *arguments, fails=False):
        """What it says."""
        environment = {**os.environ, **ADMIN, "HELM_CACHE_HOME": str(self.folder), "HELM_CONFIG_HOME": str(self.folder)}
        command = [helm(), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
        assert bool(done.returncode) is fails, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def put(self, verb, *options, fails=False):
        """`helm install` or `helm upgrade`, with the chart and the values as they are now."""
        file = self.folder / "values.yaml"
        file.write_text(yaml.safe_dump(self.values))
        return self.helm(verb, *RELEASE, f"--values={file}", *options, str(self.chart), fails=fails)

    def install(self, *options):
        """`helm install`, and its Pods have their account's token, as a kubelet gives it."""
        POD_CONFIG.unlink(missing_ok=True)
        said = self.put("install", *options)
        kubeconfig(NAME, HOME, self.folder).replace(POD_CONFIG)
        return said

    def status(self):
        found = json.loads(self.helm("status", *RELEASE, "-o", "json"))
        return found["version"], found["info"]["status"]


@pytest.fixture(scope="module")
def release(tmp_path_factory, istiod):
    return Release(tmp_path_factory.mktemp("release"), istiod=istiod, args=["--drain=0"])


def pods():
    """The address of each Pod of the controller that is to stay."""
    found = json.loads(kubectl("get", "pods", "-n", HOME, "-l", f"app.kubernetes.io/name={NAME}", "-o", "json").stdout)
    there = [one for one in found["items"] if not one["metadata"].get("deletionTimestamp")]
    return {one["metadata"]["name"]: one["status"].get("podIP", "") for one in there}


def at_work():
    """The names of the Pods that say of themselves that they lead, where Prometheus asks."""
    pages = {}
    for name, address in pods().items():
        with suppress(OSError), urlopen(f"http://{address}:9464/metrics", timeout=5) as answer:
            pages[name] = answer.read().decode()
    return [name for name, page in pages.items() if "graylane_rollout_leader 1.0" in page]


def rolled_out():
    kubectl("rollout", "status", f"deployment/{NAME}", "-n", HOME, "--timeout=110s")


def lanes():
    query = ("get", f"lanegroups.graylane.dev/{GROUP}", "-n", NAMESPACE, "-o", "json")
    return set(json.loads(kubectl(*query).stdout)["status"]["lanes"])


def definition(name):
    return json.loads(kubectl("get", "crd", name, "-o", "json").stdout)


@pytest.fixture(scope="module")
def operators_kinds():
    """Those of the Prometheus operator that the chart and k8s/controller have an object of."""
    there = folder(PROMETHEUS_OPERATOR) / "example" / "prometheus-operator-crd"
    files = [f"--filename={there}/monitoring.coreos.com_{name}.yaml" for name in ("servicemonitors", "prometheusrules")]
    kubectl("apply", "--server-side", *files)
    kubectl("wait", "--for=condition=Established", *files, "--timeout=60s")
    yield
    kubectl("delete", *files)


def test_what_the_chart_makes_is_admitted_by_the_api_server(release, operators_kinds):
    """Each field is known to the API server, also those of objects that are off by default."""
    off = ("networkPolicy", "dashboard", "serviceMonitor", "prometheusRule")
    values = {**release.values, **{name: {"enabled": True} for name in off}}
    (release.folder / "all.yaml").write_text(yaml.safe_dump(values))
    made = release.helm(
        "template", *RELEASE, f"--values={release.folder}/all.yaml", "--kube-version=1.36", str(release.chart)
    )
    dry_run = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    said = kubectl("apply", *dry_run, "-f", "-", f"--filename={ROOT}/k8s/controller/monitoring", stdin=made)
    for kind in ("networkpolicy", "servicemonitor", "prometheusrule"):
        assert f"{kind}." in said.stdout
    assert said.stderr == "", "a Pod that would violate the standard gives a warning"


def test_kinds_that_somebody_installed_by_kubectl_are_taken_over_on_request_alone(release):
    said = release.put("install", fails=True)
    assert "exists and cannot be imported into the current release" in said
    assert "STATUS: deployed" in release.install("--take-ownership")
    assert release.status() == (1, "deployed")


def test_its_pods_are_admitted_where_no_others_are_and_make_a_group_true(release):
    bare = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "namespace": HOME}}
    bare["spec"] = {"containers": [{"name": "app", "image": "none"}]}
    said = kubectl("apply", "-f", "-", stdin=json.dumps(bare), check=False).stderr
    assert 'violates PodSecurity "restricted:latest"' in said
    rolled_out()
    assert len(pods()) == 2
    objects = Objects(NAMESPACE, GROUP)
    objects.apply(Group("gray"))
    assert lanes() == {"prod", "gray"}
    assert len(at_work()) == 1
    routes = kubectl("get", "virtualservices.networking.istio.io", "cat-svc", "-n", NAMESPACE, "-o", "yaml").stdout
    assert "gray" in routes
    verdicts = kubectl("get", "configmaps", "-n", NAMESPACE, "-o", "yaml").stdout
    assert "unverified" not in verdicts


def test_its_account_may_what_k8s_controller_may_and_lead(release):
    """Which test_rollout_rbac.py shows to be what is used, each right of it."""
    config = kubeconfig(NAME, HOME, release.folder)
    granted = {one for one in rights(NAMESPACE, CONTROLLER) if one[0] == NAMESPACE and one[1] != "secrets"}
    assert asked.allowed(config, NAMESPACE) == granted
    assert asked.allowed(config, HOME) == {(HOME, "leases", verb) for verb in ("get", "create", "update")}
    for place in (SECOND, "istio-system", "default"):
        assert asked.allowed(config, place) == set()


def test_the_pod_that_stands_by_goes_on_when_the_other_one_is_gone():
    (gone,) = at_work()
    kubectl("delete", "pod", gone, "-n", HOME, "--timeout=60s")
    Objects(NAMESPACE, GROUP).apply(Group("gray", "blue"))
    assert lanes() == {"prod", "gray", "blue"}
    (works,) = at_work()
    assert works != gone


def test_an_upgrade_changes_a_kind_and_keeps_its_objects(release, tmp_path):
    uid = kubectl("get", f"lanegroups.graylane.dev/{GROUP}", "-n", NAMESPACE, "-o", "jsonpath={.metadata.uid}").stdout
    newer = tmp_path / "chart"
    shutil.copytree(release.chart, newer)
    file = newer / "files" / "crds" / "lanegroups.yaml"
    crd = yaml.safe_load(file.read_text())
    (version,) = crd["spec"]["versions"]
    version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["owner"] = {"type": "string"}
    version["additionalPrinterColumns"].append({"name": "Owner", "type": "string", "jsonPath": ".spec.owner"})
    file.write_text(yaml.safe_dump(crd))
    release.chart = newer
    release.values |= {"namespaces": [NAMESPACE, SECOND], "args": ["--drain=0", "--timeout=120"]}
    release.put("upgrade")
    rolled_out()
    assert release.status() == (2, "deployed")
    patch = ("patch", f"lanegroups.graylane.dev/{GROUP}", "-n", NAMESPACE, "--type=merge", "-p")
    until(lambda: "unknown field" not in kubectl(*patch, '{"spec":{"owner":"pets"}}').stderr, "the new field is served")
    assert "OWNER" in kubectl("get", "lanegroups.graylane.dev", "-n", NAMESPACE).stdout
    config = kubeconfig(NAME, HOME, release.folder)
    assert {what for _, what, _ in asked.allowed(config, SECOND)} == {
        what for _, what, _ in asked.allowed(config, NAMESPACE)
    }
    # Back to the kind that was: the object stays, and the controller goes on with it.
    kubectl(*patch, '{"spec":{"owner":null}}')
    release.helm("rollback", *RELEASE[:1], "1", *RELEASE[1:])
    rolled_out()
    (version,) = definition("lanegroups.graylane.dev")["spec"]["versions"]
    assert "owner" not in version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert asked.allowed(config, SECOND) == set()
    Objects(NAMESPACE, GROUP).apply(Group("gray"))
    after = kubectl("get", f"lanegroups.graylane.dev/{GROUP}", "-n", NAMESPACE, "-o", "jsonpath={.metadata.uid}").stdout
    assert (after, lanes()) == (uid, {"prod", "gray"})


def test_an_uninstallation_is_refused_while_an_object_needs_the_controller(release):
    with jobs_played(HOME, release.folder) as said:
        release.helm("uninstall", *RELEASE, "--timeout=60s", fails=True)
    assert said == [
        f"LaneGroup {NAMESPACE}/{GROUP}\na controller has to end the deletion of 1 object: delete them while it runs\n"
    ]
    assert len(pods()) == 2
    Objects(NAMESPACE, GROUP).apply(Group())
    assert lanes() == {"prod"}
    # Whoever wants to keep it after all gets a release that can be upgraded again.
    assert release.status()[1] == "uninstalling"
    release.helm("rollback", *RELEASE[:1], "3", *RELEASE[1:])
    assert release.status() == (4, "deployed")


def test_once_the_objects_are_gone_in_order_it_goes_and_the_kinds_stay(release):
    kubectl("delete", f"lanegroups.graylane.dev/{GROUP}", "-n", NAMESPACE, "--timeout=110s")
    left = kubectl("get", "virtualservices.networking.istio.io,destinationrules.networking.istio.io", "-n", NAMESPACE)
    assert "No resources found" in left.stderr
    with jobs_played(HOME, release.folder) as said:
        told = release.helm("uninstall", *RELEASE, "--timeout=60s", "--wait")
    assert said == [""]
    assert all(f"[CustomResourceDefinition] {name}" in told for name in KINDS)
    for kind in ("deployment", "serviceaccount", "job", "poddisruptionbudget"):
        found = kubectl("get", kind, "-n", HOME, "-o", "name").stdout
        assert NAME not in found, found
    assert kubectl("get", "role,rolebinding", "-n", NAMESPACE, "-o", "name").stdout == ""
    assert all(definition(name)["status"]["conditions"] for name in KINDS)


def test_installed_again_it_ends_what_was_stuck_without_it(release):
    """Somebody skips the guard, and deletes the objects afterwards."""
    release.values["namespaces"] = [NAMESPACE]
    group = (f"lanegroups.graylane.dev/{GROUP}", "-n", NAMESPACE)
    release.install()
    Objects(NAMESPACE, GROUP).apply(Group("gray"))
    release.helm("uninstall", *RELEASE, "--no-hooks", "--wait", "--timeout=60s")
    kubectl("delete", *group, "--wait=false")
    assert kubectl("get", *group, "-o", "jsonpath={.metadata.finalizers}").stdout == '["graylane.dev/routes"]'
    release.install()
    kubectl("wait", "--for=delete", *group, "--timeout=110s")
    with jobs_played(HOME, release.folder):
        release.helm("uninstall", *RELEASE, "--timeout=60s")
