"""The lab has no controller of Jobs, and its kubelet does not tell how a Pod ended: this plays both, for the hooks of a
chart. The Job's own command runs, as the Job's account."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from account import kubeconfig
from load_mesh import GRAYLANE
from mesh_cluster import kubectl


@contextmanager
def jobs_played(namespace: str, folder: Path) -> Iterator[list[str]]:
    """Runs each Job of a namespace while the block does. Gives what each one said."""
    said: list[str] = []
    done: set[str] = set()
    stop = threading.Event()

    def play() -> None:
        while not stop.wait(0.2):
            for job in json.loads(kubectl("get", "jobs", "-n", namespace, "-o", "json").stdout)["items"]:
                if job["metadata"]["uid"] not in done:
                    done.add(job["metadata"]["uid"])
                    said.append(_run(job, namespace, folder))

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield said
    finally:
        stop.set()
        thread.join()


def _run(job: dict[str, Any], namespace: str, folder: Path) -> str:
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig(pod["serviceAccountName"], namespace, folder))}
    command = [GRAYLANE, *container["args"]]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    succeeded = ended.returncode == 0
    conditions = ("SuccessCriteriaMet", "Complete") if succeeded else ("FailureTarget", "Failed")
    status: dict[str, Any] = {
        "startTime": now,
        "succeeded" if succeeded else "failed": 1,
        "conditions": [{"type": one, "status": "True", "lastTransitionTime": now} for one in conditions],
        **({"completionTime": now} if succeeded else {}),
    }
    name = job["metadata"]["name"]
    patch = json.dumps({"status": status})
    kubectl("patch", "job", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", patch)
    return ended.stdout + ended.stderr
