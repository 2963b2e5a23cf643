"""A shell in a Pod: `kubectl exec`, or where the Pod is a process of this machine (the lab), its network namespace."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mesh_cluster import kubectl

FETCH = """
import sys, urllib.request as asked
headers = dict(line.split(": ") for line in sys.argv[2:])
print(asked.urlopen(asked.Request(sys.argv[1], headers=headers), timeout=10).read().decode())
"""


def curl(namespace: str, deployment: str, container: str, url: str, headers: Sequence[str] = ()) -> str:
    """What `curl URL -H HEADER…` prints in a Pod of the deployment."""
    if process := _process(namespace, deployment):
        options = [part for header in headers for part in ("-H", header)]
        command = ["nsenter", "-t", str(process), "-n", "-m", "curl", "-s", "--max-time", "10", *options, url]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    inside = ("-c", container, "--", "python", "-c", FETCH, url, *headers)
    return kubectl("exec", "-n", namespace, f"deployment/{deployment}", *inside).stdout


def _process(namespace: str, deployment: str) -> int | None:
    """The process id of the deployment's container, where it runs on this machine."""
    spec = json.loads(kubectl("get", "deployment", deployment, "-n", namespace, "-o", "json").stdout)
    arguments = spec["spec"]["template"]["spec"]["containers"][0]["args"]
    wanted = "\0".join(arguments).encode()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if file.read_bytes().rstrip(b"\0").endswith(wanted) and _in_this_lab(file.parent):
                return int(file.parent.name)
        except OSError:  # ended meanwhile
            continue
    return None


def _in_this_lab(process: Path) -> bool:
    """A network of its own, and the /etc/hosts that all Pods of one lab share."""
    own = (process / "ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    return own and (process / "root/etc/hosts").samefile("/etc/hosts")
