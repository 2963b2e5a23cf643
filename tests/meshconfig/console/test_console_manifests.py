"""k8s/console gives nobody a right, and fits itself and the command that it runs."""

from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from meshconfig.cli.commands import app
from meshconfig.console.security.guard import HEALTH
from meshconfig.console.sources.access import CERTIFICATE

HERE = Path(__file__).parents[3] / "k8s" / "console"
OBJECTS = [
    one
    for name in yaml.safe_load((HERE / "kustomization.yaml").read_text())["resources"]
    for one in yaml.safe_load_all((HERE / name).read_text())
]
PROXY = HERE / "oauth2-proxy"
PATCHES = [
    yaml.safe_load((PROXY / one["path"]).read_text())
    for one in yaml.safe_load((PROXY / "kustomization.yaml").read_text())["patches"]
]


def of_kind(kind, objects=OBJECTS):
    (found,) = [one for one in objects if one["kind"] == kind]
    return found


POD = of_kind("Deployment")["spec"]["template"]
CONTAINERS = [*POD["spec"]["containers"], *of_kind("Deployment", PATCHES)["spec"]["template"]["spec"]["containers"]]


def test_the_account_has_no_role_and_the_pod_no_token():
    kinds = {one["kind"] for one in OBJECTS}
    assert kinds == {"Namespace", "ServiceAccount", "Deployment", "Service", "NetworkPolicy"}
    assert of_kind("ServiceAccount")["automountServiceAccountToken"] is False
    assert POD["spec"]["automountServiceAccountToken"] is False
    (volume,) = POD["spec"]["volumes"]
    assert volume["configMap"]["name"] == "kube-root-ca.crt"
    (mount,) = POD["spec"]["containers"][0]["volumeMounts"]
    assert Path(mount["mountPath"]) / "ca.crt" == CERTIFICATE


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda one: one["name"])
def test_each_container_is_restricted(container):
    security = container["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]
    assert POD["spec"]["securityContext"]["runAsNonRoot"] is True
    assert of_kind("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_arguments_are_the_commands_and_the_probes_its_page():
    container = POD["spec"]["containers"][0]
    variables = {f"$({one['name']})": one["value"] for one in container["env"]}
    name, *arguments = [variables.get(one, one) for one in container["args"]]
    commands: Any = typer.main.get_command(app)
    command = commands.commands[name].load()
    given = command.make_context(name, arguments).params
    assert given["public"] == variables["$(PUBLIC)"]
    assert given["port"] == container["ports"][0]["containerPort"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": HEALTH, "port": container["ports"][0]["name"]}


def test_only_the_named_port_is_reached_and_with_a_proxy_only_the_proxys():
    ports = {port["name"] for container in CONTAINERS for port in container["ports"]}
    for objects in (OBJECTS, PATCHES):
        service, policy = of_kind("Service", objects), of_kind("NetworkPolicy", objects)
        (rule,) = policy["spec"]["ingress"]
        (port,) = rule["ports"]
        assert service["spec"]["ports"][0]["targetPort"] == port["port"]
        assert port["port"] in ports
    assert of_kind("NetworkPolicy")["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_the_proxy_sends_the_token_and_the_name_to_the_console():
    proxy = of_kind("Deployment", PATCHES)["spec"]["template"]["spec"]["containers"][0]
    public = POD["spec"]["containers"][0]["env"][0]["value"]
    port = POD["spec"]["containers"][0]["ports"][0]["containerPort"]
    assert f"--upstream=http://127.0.0.1:{port}" in proxy["args"]
    assert "--pass-authorization-header=true" in proxy["args"]
    assert any(one.startswith(f"--redirect-url={public}/") for one in proxy["args"])
