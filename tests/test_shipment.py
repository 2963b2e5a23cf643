"""What is shipped: pins with hashes, images without pip, manifests as Pod Security Admission and kube-score ask for."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINNED = {"demo": "demo", "dev": "dev", "build": "build", "image": "console", "demo-image": "services"}  # file: extra
IMAGES = {"controller": "image", "demo": "demo-image"}  # folder of k8s: file of requirements
Manifest = dict[str, Any]


def pins(name: str) -> dict[str, list[str]]:
    """The hashes of each distribution that a file of requirements pins; each line has one version."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines():
        if line.startswith("    --hash=sha256:"):
            found[list(found)[-1]].append(line)
        elif line and not line.startswith("#"):
            found[re.match(r"[a-z0-9-]+==[^ ;]+", line)[0]] = []
    return found


def required(extra: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """The names of the distributions that an extra and the project ask for."""
    names: set[str] = set()
    for line in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]]:
        one = Requirement(line)
        if one.name == "graylane":
            names |= set().union(*(required(inner, seen | {extra}) for inner in one.extras - seen))
        else:
            names.add(re.sub(r"[._]", "-", one.name).lower())
    return names


@pytest.mark.parametrize("name", PINNED)
def test_all_that_an_extra_asks_for_is_pinned_with_hashes(name):
    found = pins(name)
    assert [one for one, hashes in found.items() if not hashes] == []
    assert required(PINNED[name]) <= {one.partition("==")[0] for one in found}


def test_the_files_pin_the_same_versions():
    assert [(name, set(pins(name)) - set(pins("dev"))) for name in PINNED if set(pins(name)) - set(pins("dev"))] == []


def test_no_file_says_where_it_came_from():
    texts = [file.read_text() for file in (ROOT / "requirements").iterdir()]
    assert [line for text in texts for line in text.splitlines() if "://" in line or "index" in line] == []


@pytest.mark.parametrize("folder", IMAGES)
def test_an_image_takes_what_is_pinned_and_brings_no_pip(folder):
    stages = (ROOT / "k8s" / folder / "Dockerfile").read_text().split("\nFROM ")
    installs = re.findall(r"pip .*?install (.*)", stages[1])
    assert [one for one in installs if "--require-hashes -r requirements/" not in one and "--no-deps" not in one] == []
    assert f"--require-hashes -r requirements/{IMAGES[folder]}.txt" in stages[1]
    assert "python -m venv --without-pip /venv" in stages[1]
    assert "pip install" not in stages[2]
    assert re.findall(r"COPY --from=build (\S+)", stages[2]) == ["/venv"]


def test_the_controllers_image_has_no_demo_services():
    text = (ROOT / "k8s" / "controller" / "Dockerfile").read_text()
    installed, _, after = text.partition("--no-deps /wheel/*.whl\n")
    assert installed
    assert "\nRUN rm -r /venv/lib/python3*/site-packages/demo_services\n" in after
    assert "\nRUN pip uninstall --yes pip" in after


@pytest.mark.parametrize("folder", IMAGES)
def test_the_image_is_named_in_one_place_by_a_tag_that_does_not_move(folder):
    kustomization = yaml.safe_load((ROOT / "k8s" / folder / "kustomization.yaml").read_text())
    (image,) = kustomization["images"]
    assert image.get("digest") or image["newTag"] not in ("", "latest")
    used = {one["image"] for deployment in deployments(folder) for one in containers(deployment)}
    assert used == {image["name"]}
    files = {file.name for file in (ROOT / "k8s" / folder).glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(kustomization["resources"])


def deployments(folder: str) -> list[Manifest]:
    files = sorted((ROOT / "k8s" / folder).glob("*.yaml"))
    objects = [one for file in files for one in yaml.safe_load_all(file.read_text())]
    return [one for one in objects if one["kind"] == "Deployment"]


def containers(deployment: Manifest) -> list[Manifest]:
    spec = deployment["spec"]["template"]["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


ALL = [one for folder in IMAGES for one in deployments(folder)]
each = pytest.mark.parametrize("deployment", ALL, ids=[one["metadata"]["name"] for one in ALL])


@each
def test_pods_meet_the_restricted_pod_security_standard(deployment):
    """Source: Kubernetes, Pod Security Standards, Restricted. The read-only root and the user are kube-score's."""
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert all(set(volume) <= {"name", "emptyDir", "configMap", "secret"} for volume in pod.get("volumes", ()))
    for one in containers(deployment):
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not [port for port in one["ports"] if "hostPort" in port]


@each
def test_what_a_pod_may_use_is_bounded(deployment):
    for one in containers(deployment):
        assert set(one["resources"]["requests"]) == set(one["resources"]["limits"])
        assert set(one["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    volumes = deployment["spec"]["template"]["spec"].get("volumes", ())
    assert [volume for volume in volumes if not volume["emptyDir"].get("sizeLimit")] == []


@each
def test_probes_tell_a_pod_that_begins_from_one_that_hangs(deployment):
    for one in containers(deployment):
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(one)
        assert one["readinessProbe"] != one["livenessProbe"]
        assert one["imagePullPolicy"] == "IfNotPresent"


def test_the_standard_is_enforced_where_nothing_is_injected_and_warned_about_elsewhere():
    labels = {}
    for folder in IMAGES:
        namespace = yaml.safe_load((ROOT / "k8s" / folder / "00-namespace.yaml").read_text())["metadata"]
        labels[namespace["name"]] = namespace["labels"]
    for name, found in labels.items():
        modes = {key.rpartition("/")[2]: value for key, value in found.items() if key.startswith("pod-security")}
        enforced = [] if found["istio-injection"] == "enabled" else ["enforce"]
        assert modes == dict.fromkeys(["warn", "audit", *enforced], "restricted"), name


def test_reading_istiod_by_a_port_forward_is_asked_for_by_itself():
    for folder in ("rbac", "controller"):
        text = "".join(file.read_text() for file in (ROOT / "k8s" / folder).glob("*.yaml"))
        assert "portforward" not in text
        assert "pods/portforward" in (ROOT / "k8s" / folder / "barrier" / "istiod.yaml").read_text()


def test_a_release_publishes_what_make_has_checked_without_a_stored_secret():
    flow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    steps = [step for job in flow["jobs"].values() for step in job["steps"]]
    run = [shlex.split(step["run"], comments=True) for step in steps if "run" in step]
    assert ["make", "sbom"] in run
    assert ["make", "test", "lint"] in run
    assert flow["permissions"] == {}
    assert flow["jobs"]["publish"]["permissions"]["id-token"] == "write"
    assert "secrets." not in (ROOT / ".github" / "workflows" / "release.yml").read_text()
