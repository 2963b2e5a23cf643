"""What the chart makes of values: objects that Kubernetes' schema takes, Pods of the restricted standard, and the
rights and the settings of k8s/controller. Run by `make chart-lint`, which builds helm."""

import json
import re
import shlex
import subprocess
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm import helm
from kube_schema import problems
from shipped_pods import assert_bounded, assert_restricted, containers, pod_of, run_by

from meshconfig.cluster.rights import GATEWAY_API, LEADER, RIGHTS, account, for_istiod
from meshconfig.crds import definitions

ROOT = Path(__file__).parents[2]
CHART, CONTROLLER = ROOT / "k8s" / "chart", ROOT / "k8s" / "controller"
PAGE = (ROOT / "docs" / "install.md").read_text()
HOME = "graylane-system"
DIGEST = "sha256:" + "0123456789abcdef" * 4
MINIMAL = {"namespaces": ["demo"]}
SEVERAL = {
    **MINIMAL,
    "namespaces": ["demo", "shop"],
    "allowNamespaces": ["shared"],
    "image": {"repository": "registry.example.com/graylane", "digest": DIGEST},
    "imagePullSecrets": [{"name": "registry"}],
    "barrier": {"enabled": True},
    "gatewayApi": {"enabled": True},
    "allowHosts": ["prometheus.monitoring:9090", "10.0.0.0/8"],
    "webhookSecrets": ["rollout-hook", "other"],
    "args": ["--drain=30"],
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "infra", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "priorityClassName": "system-cluster-critical",
    "podLabels": {"team": "platform"},
    "podAnnotations": {"a": "b"},
    "serviceAccount": {"annotations": {"a": "b"}},
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "egress": [{"ports": [{"protocol": "TCP", "port": 9090}]}],
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboard": {"enabled": True},
}
EVERYWHERE = {
    "allNamespaces": True,
    "gatewayApi": {"enabled": True},
    "istiod": "http://istiod.istio-system:8080",
    "replicas": 1,
}
BARE = {
    **MINIMAL,
    "crds": {"install": False},
    "podDisruptionBudget": {"enabled": False},
    "uninstallGuard": {"enabled": False},
}
URL = "https://console.example.com"
CONSOLE: dict[str, Any] = {
    **MINIMAL,
    "istiod": "http://istiod.istio-system:8080",
    "console": {
        "enabled": True,
        "url": URL,
        "otlp": True,
        "args": ["--gateway=http://gateway.istio-system"],
        "from": [{"namespaceSelector": {"matchLabels": {"team": "web"}}}],
        "egress": [{"ports": [{"port": 8080}]}],
    },
}
VALUES = {"minimal": MINIMAL, "several": SEVERAL, "everywhere": EVERYWHERE, "bare": BARE, "console": CONSOLE}
each = pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)


def run(*arguments, values=None):
    """helm, with values as a file on its standard input."""
    given = ["--values=-"] if values is not None else []
    text = None if values is None else yaml.safe_dump(values)
    return subprocess.run([helm(), *arguments, *given], input=text, capture_output=True, text=True, timeout=60)


def template(values, *, release="graylane"):
    return deepcopy(rendered(json.dumps(values), release))


@cache
def rendered(values, release):
    done = run("template", release, str(CHART), "-n", HOME, "--kube-version=1.36", values=json.loads(values))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [one for one in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if one]


def of_kind(objects, kind):
    return [one for one in objects if one["kind"] == kind]


@each
def test_helm_finds_nothing_to_say(values):
    done = run("lint", str(CHART), "--strict", values=values)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout
    assert "[ERROR]" not in done.stdout


@each
def test_what_it_makes_is_of_kubernetes_schema(values):
    assert [text for one in template(values) for text in problems(one)] == []


@each
def test_its_pods_are_restricted_and_bounded(values):
    objects = template(values)
    pods = [*of_kind(objects, "Deployment"), *of_kind(objects, "Job")]
    assert len(pods) == 1 + (values is not BARE) + (values is CONSOLE)
    for one in pods:
        assert_restricted(one)
        assert_bounded(one)
        assert one["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
        part = "console" if one["metadata"]["name"].endswith("console") else "controller"
        assert pod_of(one)["serviceAccountName"] == f"graylane-{part}"


@each
def test_each_object_is_the_releases_own(values):
    """Helm would not delete, nor a person find, what has no label of the release."""
    for one in template(values):
        labels = one["metadata"]["labels"]
        assert (labels["app.kubernetes.io/managed-by"], labels["app.kubernetes.io/instance"]) == ("Helm", "graylane")


def granted(role):
    """(group, resource, verb, name) of each right."""
    return {
        (group, resource, verb, name)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


def table(rights, *secrets):
    return {
        (right.group, resource, verb, name)
        for right in rights
        for resource in right.resources
        for verb in right.verbs
        for name in (secrets if right.names else [""])
    }


def roles(objects):
    found = {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one for one in objects}
    for (kind, namespace, name), one in found.items():
        if kind in ("Role", "ClusterRole"):
            binding = found[f"{kind}Binding", namespace, name]
            assert binding["roleRef"]["name"] == name
            assert [(each["name"], each["namespace"]) for each in binding["subjects"]] == [
                ("graylane-controller", HOME)
            ]
            yield (namespace, name), granted(one)


def test_the_rights_are_those_of_the_table_in_each_namespace():
    (role,) = [one for one in yaml.safe_load_all(account("graylane-controller")) if one["kind"] == "Role"]
    (barrier, _) = yaml.safe_load_all(for_istiod("graylane-controller", "graylane-controller-barrier"))
    whole = table(RIGHTS["graylane-controller"], "rollout-hook", "other")
    assert table(RIGHTS["graylane-controller"], "rollout-hook") == granted(role)
    assert dict(roles(template(SEVERAL))) == {
        **{(place, "graylane-controller"): whole for place in ("demo", "shop", "shared")},
        **{
            (place, "graylane-controller-gateway-api"): table(GATEWAY_API["graylane-controller"])
            for place in ("demo", "shop", "shared")
        },
        (HOME, "graylane-controller"): table(LEADER),
        ("istio-system", "graylane-controller-barrier"): granted(barrier),
    }


def test_for_all_namespaces_they_are_a_cluster_role_and_without_names_there_are_no_secrets():
    found = dict(roles(template(EVERYWHERE)))
    assert found == {
        ("", "graylane-controller"): table(RIGHTS["graylane-controller"]),
        ("", "graylane-controller-gateway-api"): table(GATEWAY_API["graylane-controller"]),
    }
    assert "secrets" not in {resource for _, resource, _, _ in found["", "graylane-controller"]}


@pytest.mark.parametrize("values", [{"namespaces": [HOME]}, {"namespaces": ["demo"], "allowNamespaces": [HOME]}])
def test_rights_in_the_controllers_own_namespace_take_no_second_role(values):
    made = template(values)
    assert [one["metadata"]["namespace"] for one in of_kind(made, "Role")].count(HOME) == 1
    assert dict(roles(made))[HOME, "graylane-controller"] == table(RIGHTS["graylane-controller"])


def test_it_runs_commands_that_there_are():
    objects = template(SEVERAL)
    (container,), (guard,) = (containers(of_kind(objects, kind)[0]) for kind in ("Deployment", "Job"))
    name, given = run_by(container)
    assert (name, given["namespace"], given["all_namespaces"]) == ("controller", ["demo", "shop"], False)
    assert (given["lease_namespace"], given["metrics"], given["drain"]) == (HOME, 9464, 30.0)
    assert given["allow_host"] == SEVERAL["allowHosts"]
    assert given["allow_namespace"] == ["shared"]
    assert (given["finalizers"], run_by(guard)[1]["finalizers"]) == (False, True)
    assert run_by(guard)[1]["namespace"] == ["demo", "shop"]
    (everywhere,) = containers(of_kind(template(EVERYWHERE), "Deployment")[0])
    assert (run_by(everywhere)[1]["all_namespaces"], run_by(everywhere)[1]["istiod"]) == (True, EVERYWHERE["istiod"])


def test_the_image_is_named_by_a_digest_or_a_tag_that_does_not_move():
    images = {containers(one)[0]["image"] for kind in ("Deployment", "Job") for one in of_kind(template(SEVERAL), kind)}
    assert images == {f"registry.example.com/graylane@{DIGEST}"}
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert containers(of_kind(template(MINIMAL), "Deployment")[0])[0]["image"] == f"graylane:{version}"
    (image,) = yaml.safe_load((CONTROLLER / "kustomization.yaml").read_text())["images"]
    assert image["newTag"] == version


def test_the_kinds_are_graylanes_and_outlive_the_chart():
    found = {one["metadata"]["name"]: one for one in of_kind(template(MINIMAL), "CustomResourceDefinition")}
    assert {name: one["spec"] for name, one in found.items()} == {
        one["metadata"]["name"]: one["spec"] for one in definitions()
    }
    assert all(one["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"} for one in found.values())
    assert not (CHART / "crds").exists(), "helm never upgrades what is there"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "values: nothing says where the LaneGroups are; write `namespaces: [demo]`"),
        ({"namespaces": ["demo"], "allNamespaces": True}, "exclude each other; write one of them"),
        ({**MINIMAL, "istiod": "http://x", "barrier": {"enabled": True}}, "`istiod` by a URL; write one of them"),
        ({"namespaces": "demo"}, "at '/namespaces': got string, want array"),
        ({"namespaces": ["Demo"]}, "at '/namespaces/0': 'Demo' does not match pattern"),
        ({**MINIMAL, "replica": 2}, "additional properties 'replica' not allowed"),
        ({**MINIMAL, "console": {"enabled": True}}, "write `url: https://console.example.com`"),
        ({**MINIMAL, "console": {"url": "example.com"}}, "at '/console/url': 'example.com' does not match pattern"),
        ({**MINIMAL, "console": {"from": []}}, "at '/console/from': minItems: got 0, want 1"),
        # helm takes a null for no value, so that no schema sees it.
        ({**CONSOLE, "console": {**CONSOLE["console"], "from": None}}, "`console.from` is empty"),
        ({**CONSOLE, "networkPolicy": {"apiServerPorts": None}}, "write `apiServerPorts: [443, 6443]`"),
        ({**SEVERAL, "networkPolicy": {"enabled": True, "apiServerPorts": None}}, "`networkPolicy.apiServerPorts`"),
        ({**MINIMAL, "image": {"digest": "latest"}}, "at '/image/digest': 'latest' does not match pattern"),
    ],
)
def test_wrong_values_are_refused_with_what_to_write(values, said):
    done = run("template", "graylane", str(CHART), "--kube-version=1.36", values=values)
    assert done.returncode != 0
    assert said in done.stderr


def test_a_url_may_have_what_yaml_gives_a_meaning():
    url = "http://istiod.istio-system:8080/a b #c: d"
    for one in of_kind(template({**CONSOLE, "istiod": url}), "Deployment"):
        assert f"--istiod={url}" in containers(one)[0]["args"]


def test_each_value_has_a_schema_and_a_line_in_the_docs():
    values, schema = (
        yaml.safe_load((CHART / "values.yaml").read_text()),
        json.loads((CHART / "values.schema.json").read_text()),
    )
    assert set(values) | {"global"} == set(schema["properties"])
    assert [name for name in values if f"`{name}" not in PAGE] == []


BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
LINES = [line.partition(" #")[0].strip() for block in BLOCKS for line in block.splitlines()]


@pytest.mark.parametrize("line", [one for one in LINES if re.match("helm (install|upgrade)", one)])
def test_what_the_docs_have_helm_do_makes_objects(line, tmp_path):
    (shown,) = re.findall(r"^```yaml\n# values.yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (tmp_path / "values.yaml").write_text(shown)
    (tmp_path / "k8s").symlink_to(ROOT / "k8s")
    words = [word for word in shlex.split(line)[2:] if word != "--take-ownership"]
    command = [helm(), "template", *words, "--kube-version=1.36"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (one,) = of_kind(yaml.safe_load_all(done.stdout), "Deployment")
    assert containers(one)[0]["image"] == "registry.example.com/graylane@" + yaml.safe_load(shown)["image"]["digest"]


def test_the_files_that_the_docs_name_are_there():
    named = [path for line in LINES for path in re.findall(r"\bk8s/[\w./-]+", line)]
    assert len(named) > 8
    assert [path for path in named if not (ROOT / path).exists()] == []


def bare(manifest):
    """Without what only helm writes, and without the choice of a place for the Lease."""
    text = json.dumps(manifest)
    found = json.loads(text)
    selectors = [found.get("metadata", {}), found.get("spec", {}).get("template", {}).get("metadata", {})]
    for one in selectors:
        labels = one.pop("labels", {})
        if labels.get("sidecar.istio.io/inject"):
            one["labels"] = {"sidecar.istio.io/inject": labels["sidecar.istio.io/inject"]}
    return json.loads(json.dumps(found).replace(', "app.kubernetes.io/instance": "graylane"', ""))


def test_with_the_same_settings_it_is_k8s_controller():
    """But for the arguments, which helm writes one by one, and the Lease's place."""
    settings = {**MINIMAL, "allowHosts": ["prometheus.monitoring:9090"], "webhookSecrets": ["rollout-hook"]}
    on = {
        part: {"enabled": True}
        for part in ("serviceMonitor", "prometheusRule", "networkPolicy", "barrier", "gatewayApi")
    }
    values = {**settings, **on}
    kustomized = subprocess.run(["kubectl", "kustomize", CONTROLLER], capture_output=True, text=True, check=True).stdout
    files = [*CONTROLLER.glob("*/*.yaml")]
    plain = [*yaml.safe_load_all(kustomized), *(one for file in files for one in yaml.safe_load_all(file.read_text()))]
    ours, theirs = keyed(template(values)), keyed(plain)
    guard, leader = ("Job", HOME, "graylane-controller-uninstall"), (HOME, "graylane-controller")
    more = {guard, ("Role", *leader), ("RoleBinding", *leader)}
    assert {key for key in ours if key[0] != "CustomResourceDefinition"} - more == set(theirs) - {
        ("Namespace", "", HOME)
    }
    for key, one in theirs.items():
        if key[0] not in ("Namespace", "Role", "Deployment", "NetworkPolicy"):
            assert ours[key] == one, key
    a, b = (containers(found["Deployment", HOME, "graylane-controller"]) for found in (ours, theirs))
    (given, options), (_, expected) = run_by(a[0]), run_by(b[0])
    assert {**options, "lease_namespace": ""} == {**expected, "lease_namespace": ""}, given
    for one in (*a, *b):
        one.pop("args")
        one.pop("env", None)
    assert ours["Deployment", HOME, "graylane-controller"] == theirs["Deployment", HOME, "graylane-controller"]
    a, b = (found["NetworkPolicy", HOME, "graylane-controller"]["spec"] for found in (ours, theirs))
    assert {**a, "podSelector": {}} == {**b, "podSelector": {}}


def keyed(objects):
    """By kind, namespace and name. A binding's own name is nobody's concern, if it is that of its Role."""
    found = {}
    for one in map(bare, objects):
        name = one["roleRef"]["name"] if one["kind"] == "RoleBinding" else one["metadata"]["name"]
        one["metadata"]["name"] = name
        found[one["kind"], one["metadata"].get("namespace", ""), name] = one
    return found


def of_the_console(objects):
    found = [one for one in objects if one["metadata"]["name"] == "graylane-console" and one["kind"] != "Namespace"]
    return {one["kind"]: one for one in found}


def test_the_console_is_off_until_it_is_asked_for():
    assert of_the_console(template(SEVERAL)) == {}


def test_the_console_is_k8s_console_with_the_same_settings():
    """But for the namespace, the image, the labels of helm, and the arguments, which helm writes one by one."""
    shown = subprocess.run(
        ["kubectl", "kustomize", ROOT / "k8s" / "console"], capture_output=True, text=True, check=True
    )
    theirs = of_the_console(yaml.safe_load_all(shown.stdout))
    url = containers(theirs["Deployment"])[0]["env"][0]["value"]
    ours = of_the_console(template({**MINIMAL, "console": {"enabled": True, "url": url}}))
    given, expected = (run_by(containers(one["Deployment"])[0]) for one in (ours, theirs))
    assert given == expected
    for found in (ours, theirs):
        (container,) = containers(found["Deployment"])
        for name in ("args", "env", "image"):
            container.pop(name, None)
        found["Deployment"]["spec"]["template"].pop("metadata")
        for one in found.values():
            one.pop("metadata")
            for selector in (one.get("spec", {}).get("selector", {}), one.get("spec", {}).get("podSelector", {})):
                selector.pop("app.kubernetes.io/instance", "")
                selector.get("matchLabels", {}).pop("app.kubernetes.io/instance", "")
    assert ours == theirs


def test_the_console_takes_its_settings_and_no_right():
    found = of_the_console(template(CONSOLE))
    assert set(found) == {"ServiceAccount", "Deployment", "Service", "NetworkPolicy"}
    assert found["ServiceAccount"]["automountServiceAccountToken"] is False
    assert pod_of(found["Deployment"])["automountServiceAccountToken"] is False
    name, given = run_by(containers(found["Deployment"])[0])
    assert (name, given["public"], given["port"], given["otlp"]) == ("console", URL, 8088, ["0.0.0.0:4317"])
    assert (given["gateway"], given["istiod"]) == ("http://gateway.istio-system", CONSOLE["istiod"])
    web, logs = found["NetworkPolicy"]["spec"]["ingress"]
    assert (web["from"], web["ports"]) == (CONSOLE["console"]["from"], [{"port": "http"}])
    assert logs["ports"] == [{"port": "grpc-otlp"}]
    assert found["NetworkPolicy"]["spec"]["egress"][1:] == CONSOLE["console"]["egress"]
    ports = {one["targetPort"] for one in found["Service"]["spec"]["ports"]}
    assert ports == {one["name"] for one in containers(found["Deployment"])[0]["ports"]}


def test_two_releases_share_no_object():
    first, second = (
        {
            (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
            for one in template(values, release=name)
        }
        for name, values in (("graylane", {**BARE, "namespaces": ["a"]}), ("other", {**BARE, "namespaces": ["a"]}))
    )
    assert first & second == set()
