"""What a controller of many LaneGroups takes while nobody changes them: memory, and requests to the API server.

    python3 ../shared/lab/lab.py exec -- .venv/bin/python benchmarks/idle_groups.py [--groups 10,1000]

It uses the cluster of KUBECONFIG, where graylane's kinds are installed, and starts none. Each group has one service;
all Services select the same Pod. Watches and renewals of the Lease are the only requests that an idle controller may
make: docs/controller.md. The memory is that of the process, as Linux counts it (VmRSS).
"""

import argparse
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from apply import GRAYLANE, NOWHERE, PORT, kubectl, namespace

PAGE = 19464  # the port of the metrics
IDLE = 60.0  # seconds that are watched
PATIENCE = 1800.0  # seconds until all groups are true
RENEWAL = 5.0  # seconds from one renewal of the Lease to the next
WATCHES = 8  # kinds that are watched: each of their watches may begin anew in this time
CALM = 1 + 4  # requests in that time: a renewal, and a few of the watches
MOST = 300  # MB, for a thousand groups


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", default="10,1000", help="how many, with commas (%(default)s)")
    counts = [int(one) for one in parser.parse_args().groups.split(",")]
    subprocess.run(
        f"{GRAYLANE} crds | kubectl apply --server-side -f -", shell=True, check=True, stdout=subprocess.DEVNULL
    )
    good = [measure(count) for count in counts]
    return 0 if all(good) else 1


def measure(count: int) -> bool:
    space = f"graylane-bench-idle-{count}"
    command = [GRAYLANE, "controller", "-n", space, "--istiod", NOWHERE, "--wait=0", "--drain=0", f"--metrics={PAGE}"]
    # It still runs when the namespace goes: who else would take the finalizers away?
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            with namespace(space, count):
                return measured(process.pid, space, count)
        finally:
            process.terminate()


def measured(controller: int, space: str, count: int) -> bool:
    began = time.perf_counter()
    kubectl("apply", "--server-side", "-f", "-", stdin=groups(space, count))
    until_ready(count)
    seconds, first = time.perf_counter() - began, memory(controller)
    until_idle()
    calm = time.perf_counter() - began
    before = requests()
    time.sleep(IDLE)
    return report(count, seconds, calm, requests() - before, first, memory(controller))


def groups(space: str, count: int) -> str:
    items = [
        {
            "apiVersion": "graylane.dev/v1",
            "kind": "LaneGroup",
            "metadata": {"name": f"g{number}", "namespace": space},
            "spec": {
                "lanes": {"prod": {"versions": {"s": "v1"}}},
                "services": {
                    "s": {"host": f"s{number}-svc", "port": PORT, "versions": {"v1": {"labels": {"version": "v1"}}}}
                },
            },
        }
        for number in range(count)
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def until_ready(count: int) -> None:
    end = time.monotonic() + PATIENCE
    while len([one for one in page() if one.startswith("graylane_group_ready{") and one.endswith(" 1.0")]) < count:
        if time.monotonic() > end:
            sys.exit(f"not all of {count} groups are true after {PATIENCE:.0f} s")
        time.sleep(1)


def until_idle() -> None:
    """Waits until the controller has looked at each group after its own writes."""
    end, before = time.monotonic() + PATIENCE, requests()
    while True:
        time.sleep(RENEWAL)
        if (now := requests()) - before <= CALM:
            return
        if time.monotonic() > end:
            sys.exit(f"the controller is not idle after {PATIENCE:.0f} s: {now - before} requests in {RENEWAL:.0f} s")
        before = now


def page() -> Sequence[str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PAGE}/metrics", timeout=10) as answer:
            return answer.read().decode().splitlines()
    except OSError:  # it has not begun yet
        return ()


def requests() -> int:
    (line,) = (one for one in page() if one.startswith("graylane_api_requests_total "))
    return int(float(line.split()[1]))


def memory(pid: int) -> int:
    """MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(one.split()[1]) for one in lines if one.startswith("VmRSS:")) // 1000


def report(count: int, seconds: float, calm: float, idle: int, first: int, last: int) -> bool:
    allowed = int(IDLE / RENEWAL) + 1 + WATCHES
    print(
        f"{count:,} groups: true after {seconds:.0f} s, idle after {calm:.0f} s; then in {IDLE:.0f} s {idle} requests",
        end="",
    )
    print(
        f" (watches and renewals: at most {allowed}); {first} MB when true, {last} MB idle (at most {MOST})", flush=True
    )
    return idle <= allowed and last <= MOST


if __name__ == "__main__":
    sys.exit(main())
