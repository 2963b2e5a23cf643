"""k8s/demo fits itself, the flags of `python -m demo_services`, its Dockerfile and the example spec."""

import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from demo_services.flags import parse

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "k8s" / "demo"
Manifest = dict[str, Any]

KUSTOMIZATION = yaml.safe_load((DEMO / "kustomization.yaml").read_text())
OBJECTS: list[Manifest] = [
    manifest for name in KUSTOMIZATION["resources"] for manifest in yaml.safe_load_all((DEMO / name).read_text())
]
SPEC = yaml.safe_load((ROOT / "examples" / "cat-mouse" / "graylane.yaml").read_text())


def of_kind(kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] == kind}


DEPLOYMENTS, SERVICES = of_kind("Deployment"), of_kind("Service")
each_deployment = pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS.keys())


def pod(deployment: Manifest) -> Manifest:
    spec: Manifest = deployment["spec"]["template"]["spec"]
    return spec


def container(deployment: Manifest) -> Manifest:
    (one,) = pod(deployment)["containers"]
    assert isinstance(one, dict)
    return one


def flags(deployment: Manifest, monkeypatch: pytest.MonkeyPatch) -> Any:
    for variable in container(deployment)["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    return parse(container(deployment)["args"])


def test_the_namespace_comes_first_and_is_injected() -> None:
    assert (OBJECTS[0]["kind"], OBJECTS[0]["metadata"]["name"]) == ("Namespace", "demo")
    assert OBJECTS[0]["metadata"]["labels"]["istio-injection"] == "enabled"
    assert {one["metadata"]["namespace"] for one in OBJECTS[1:]} == {"demo"}


def test_every_version_of_the_example_spec_is_deployed_behind_its_service() -> None:
    assert SPEC["metadata"]["namespace"] == "demo"
    workloads = set()
    for service in SPEC["spec"]["services"].values():
        spec = SERVICES[service["host"]]["spec"]
        assert service["port"] in [port["port"] for port in spec["ports"]]
        for version in service["versions"].values():
            labels = DEPLOYMENTS[version["workload"]]["spec"]["template"]["metadata"]["labels"]
            assert spec["selector"].items() | version["labels"].items() <= labels.items()
            workloads.add(version["workload"])
    assert workloads == set(DEPLOYMENTS)


def test_each_deployment_selects_its_own_pods_alone() -> None:
    for name, deployment in DEPLOYMENTS.items():
        selector = deployment["spec"]["selector"]["matchLabels"].items()
        selected = [
            other
            for other, one in DEPLOYMENTS.items()
            if selector <= one["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert selected == [name]


@each_deployment
def test_args_are_flags_that_the_program_takes(deployment: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    args = flags(deployment, monkeypatch)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert (f"{args.name}-dp", args.env, args.host) == (labels["app"], labels["env"], "0.0.0.0")
    assert args.tag == SPEC["spec"]["tag"]["header"]


@each_deployment
def test_ports_agree_from_the_flag_to_the_service(deployment: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    args = flags(deployment, monkeypatch)
    (port,) = container(deployment)["ports"]
    (exposed,) = SERVICES[f"{args.name}-svc"]["spec"]["ports"]
    assert port == {"name": "http", "containerPort": args.port}
    # Istio takes the protocol from the port's name.
    assert exposed == {"name": "http", "port": 9001, "targetPort": "http"}
    for url in args.service_url:
        called = urlsplit(url)
        assert called.path == "/sayHello"
        assert called.port in [one["port"] for one in SERVICES[str(called.hostname)]["spec"]["ports"]]


@each_deployment
def test_probes_ask_what_the_program_answers(deployment: Manifest) -> None:
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container(deployment)[probe]["httpGet"] == {"path": "/healthz", "port": "http"}


def test_calls_of_the_spec_are_the_service_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = {service["host"]: name for name, service in SPEC["spec"]["services"].items()}
    for deployment in DEPLOYMENTS.values():
        args = flags(deployment, monkeypatch)
        called = [hosts[str(urlsplit(url).hostname)] for url in args.service_url]
        assert called == SPEC["spec"]["services"][args.name].get("calls", [])


def test_the_image_runs_the_program_as_the_pods_user_from_files_that_exist() -> None:
    lines = [shlex.split(line) for line in (DEMO / "Dockerfile").read_text().splitlines() if line and line[0] != "#"]
    assert ["ENTRYPOINT", "[python,", "-m,", "demo_services]"] in lines
    assert ["USER", "10001:10001"] in lines
    copied = [word for line in lines if line[0] == "COPY" and line[1][:2] != "--" for word in line[1:-1]]
    assert copied
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert {container(one)["image"] for one in DEPLOYMENTS.values()} == {"graylane-demo"}
