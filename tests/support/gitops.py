"""Git controllers that carry commits out: Flux itself, and a script that does what Argo CD does.

Argo CD does not run here. Its script follows the user guide (https://argo-cd.readthedocs.io/en/stable/user-guide/):
server-side apply with force as `argocd-controller` (sync-options), prune of what is no longer in Git and self-heal
(auto_sync), the difference as a server-side dry run (diff-strategies), and the health check that docs/gitops.md shows.
"""

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import yaml
from load_mesh import GRAYLANE, Spec
from mesh_cluster import kubectl, until

PATIENCE = 240.0
PUSH = "GRAYLANE_PUSH"  # the command that gives a folder to Flux as the next revision of GitRepository flux-system/lab
KUSTOMIZATION = "kustomizations.kustomize.toolkit.fluxcd.io"


class GitController(Protocol):
    """Carries commits out; `seen`: what it showed of its health, in order."""

    seen: list[str]

    def commit(self, files: Mapping[str, str]) -> None:
        """Returns when it shows that all of the commit is there and healthy."""


def as_object(world: Spec) -> dict[str, str]:
    value = {**yaml.safe_load(world.spec()), "apiVersion": "graylane.dev/v1"}
    return {"graylane.yaml": yaml.safe_dump(value, sort_keys=False)}


def as_rendered(world: Spec, folder: Path) -> dict[str, str]:
    (folder / "plain.yaml").write_text(world.spec())
    command = [GRAYLANE, "render", "-f", str(folder / "plain.yaml")]
    return {"mesh.yaml": subprocess.run(command, capture_output=True, text=True, check=True).stdout}


class Flux:
    """kustomize-controller with a Kustomization as docs/gitops.md has it: prune, and wait for health."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name, self.seen = folder / "git" / name, name, list[str]()
        self.folder.mkdir(parents=True)

    def commit(self, files: Mapping[str, str]) -> None:
        for old in self.folder.iterdir():
            old.unlink()
        for name, text in files.items():
            (self.folder / name).write_text(text)
        done = subprocess.run(
            [*shlex.split(os.environ[PUSH]), str(self.folder.parent)], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        revision = done.stdout.split()[-1]
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump(self._kustomization()))
        until(lambda: self._is_there(revision), f"Flux has {revision}: {self.seen[-3:]}", PATIENCE)

    def _kustomization(self) -> dict[str, Any]:
        spec = {
            "interval": "1h",
            "retryInterval": "5s",
            "path": f"./{self.name}",
            "prune": True,
            "wait": True,
            "timeout": "3m",
            "sourceRef": {"kind": "GitRepository", "name": "lab"},
        }
        metadata = {"name": self.name, "namespace": "flux-system"}
        return {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": metadata,
            "spec": spec,
        }

    def _is_there(self, revision: str) -> bool:
        text = kubectl("get", KUSTOMIZATION, self.name, "-n", "flux-system", "-o", "json").stdout
        status = json.loads(text).get("status", {})
        ready = next((one for one in status.get("conditions", []) if one["type"] == "Ready"), {})
        self.seen.append(f"{ready.get('status')} {ready.get('reason')}")
        return ready.get("status") == "True" and revision in status.get("lastAppliedRevision", "")

    def end(self) -> None:
        kubectl("delete", KUSTOMIZATION, self.name, "-n", "flux-system", "--ignore-not-found", "--timeout=120s")


class ArgoScript:
    """What Argo CD's application controller does with automated sync, prune and self-heal."""

    MANAGER = "argocd-controller"

    def __init__(self, namespace: str) -> None:
        self.namespace, self.seen = namespace, list[str]()
        self.synced: list[dict[str, Any]] = []

    def commit(self, files: Mapping[str, str]) -> None:
        wanted = [one for text in files.values() for one in yaml.safe_load_all(text) if one]
        self._sync(wanted)
        until(lambda: self._looked() == "Synced Healthy", f"Argo CD's view: {self.seen[-3:]}", PATIENCE)

    def watch(self, seconds: float) -> None:
        """Goes on looking, as self-heal does: what the controller writes makes nothing OutOfSync."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self._looked() == "Synced Healthy", self.seen[-3:]
            time.sleep(0.5)

    def _sync(self, wanted: list[dict[str, Any]]) -> None:
        for one in wanted:
            self._apply(one)
        names = {_name(one) for one in wanted}
        for old in self.synced:
            if _name(old) not in names:
                kubectl("delete", "-f", "-", "--wait=false", stdin=yaml.safe_dump(old))
        self.synced = wanted

    def _looked(self) -> str:
        out_of_sync = [one for one in self.synced if self._differs(one)]
        healths = {health(live) for live in map(self._live, self.synced) if live}
        worst = next((one for one in ("Degraded", "Progressing") if one in healths), "Healthy")
        self.seen.append(f"{'OutOfSync' if out_of_sync else 'Synced'} {worst}")
        return self.seen[-1]

    def _apply(self, one: dict[str, Any], *more: str) -> str:
        flags = ("--server-side", "--force-conflicts", f"--field-manager={self.MANAGER}", "-n", self.namespace)
        return kubectl("apply", *flags, *more, "-f", "-", stdin=yaml.safe_dump(one)).stdout

    def _live(self, one: dict[str, Any]) -> dict[str, Any]:
        kind = f"{one['kind'].lower()}s.{one['apiVersion'].partition('/')[0]}"
        text = kubectl("get", kind, one["metadata"]["name"], "-n", self.namespace, "-o", "json").stdout
        found: dict[str, Any] = json.loads(text)
        return found

    def _differs(self, one: dict[str, Any]) -> bool:
        """Server-side diff: whether an apply of what Git has would change what is there."""
        live, after = self._live(one), json.loads(self._apply(one, "--dry-run=server", "-o", "json"))
        return any(live.get(name) != after.get(name) for name in {*live, *after} - {"metadata", "status"})


def _name(one: Mapping[str, Any]) -> tuple[str, str]:
    return one["kind"], one["metadata"]["name"]


def health(live: Mapping[str, Any]) -> str:
    """The health of a LaneGroup by the script that docs/gitops.md gives to Argo CD, told in Python."""
    if live["kind"] not in ("LaneGroup", "Rollout"):
        return "Healthy"
    status = live.get("status") or {}
    found = {one["type"]: one["status"] for one in status.get("conditions", ())}
    if status.get("observedGeneration") != live["metadata"]["generation"]:
        return "Progressing"
    if found.get("Stalled") == "True":
        return "Degraded"
    return "Healthy" if found.get("Ready") == "True" else "Progressing"


def rounds(number: int, start: Spec, added: Spec) -> Iterator[tuple[str, Spec]]:
    """A version with its lane comes and goes."""
    for one in range(number):
        yield f"round {one + 1}: the lane comes", added
        yield f"round {one + 1}: the lane goes", start
