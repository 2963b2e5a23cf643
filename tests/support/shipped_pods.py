"""What the Pods have to be that graylane ships, and what `graylane` makes of their arguments."""

from typing import Any

import typer

from meshconfig.cli.commands import app
from meshconfig.cli.lazy import LazyCommand

Manifest = dict[str, Any]


def pod_of(manifest: Manifest) -> Manifest:
    """The spec of a Pod, of a Deployment or a Job."""
    found: Manifest = manifest["spec"]["template"]["spec"]
    return found


def containers(manifest: Manifest) -> list[Manifest]:
    spec = pod_of(manifest)
    return [*spec.get("initContainers", []), *spec["containers"]]


def assert_restricted(manifest: Manifest) -> None:
    """Source: Kubernetes, Pod Security Standards, Restricted. The read-only root and the user are kube-score's."""
    pod = pod_of(manifest)
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert all(set(volume) <= {"name", "emptyDir", "configMap", "secret"} for volume in pod.get("volumes", ()))
    for one in containers(manifest):
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not [port for port in one.get("ports", ()) if "hostPort" in port]


def assert_bounded(manifest: Manifest) -> None:
    for one in containers(manifest):
        assert set(one["resources"]["requests"]) == set(one["resources"]["limits"])
        assert set(one["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    written = [volume["emptyDir"] for volume in pod_of(manifest).get("volumes", ()) if "emptyDir" in volume]
    assert all(one.get("sizeLimit") for one in written)


def run_by(container: Manifest) -> tuple[str, Manifest]:
    """The command that a container runs, and its options, with the container's variables filled in."""
    variables = {f"$({one['name']})": one["value"] for one in container.get("env", ())}
    arguments = [variables.get(one, one) for one in container["args"]]
    found: Any = typer.main.get_command(app)
    while arguments[0] in getattr(found, "commands", ()):
        found = found.commands[arguments.pop(0)]
        found = found.load() if isinstance(found, LazyCommand) else found
    return found.name, found.make_context(found.name, arguments).params
