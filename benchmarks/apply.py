"""`graylane apply` beside `kubectl apply --server-side` of the same objects: seconds, API calls, ratios inside one run.

    python3 ../shared/lab/lab.py exec -- .venv/bin/python benchmarks/apply.py [--services 1,100,1000]

It uses the cluster of KUBECONFIG and starts none; each size has namespaces of its own, one for each tool, removed
afterwards. A service is a DestinationRule, a VirtualService and a HorizontalPodAutoscaler; all Services select the same
Pod. Each tool runs as a user runs it, as its own process. graylane waits until proxies have acknowledged each step,
kubectl waits for nothing; so graylane is measured twice, as it is, and where its barriers have no length. No tool
begins before each Service has its endpoint and istiod has pushed it: kube-controller-manager writes twenty
EndpointSlices a second, and while they come, istiod pushes nothing for up to ten seconds.

Below the table are the seconds of each phase of graylane's change, and whether its barriers were verified; what is
written while a barrier waits is in the barrier's time, and `rest` is Python's start, the spec, the lock, the revision
and the output. The exit status is 1 where a large first apply takes more than a third of kubectl's time, or an apply
without a change more than ten API calls.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

GRAYLANE = str(Path(sys.executable).with_name("graylane"))
ISTIOD = os.environ.get("GRAYLANE_ISTIOD", "http://127.0.0.1:15081")
NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody answers
PORT = 9001
LARGE = 1000
MOST = 1 / 3  # of kubectl's time, for a first apply of a large group
IDLE = 10  # API calls of an apply without a change
DEBOUNCE = 11.0  # seconds: istiod's longest wait before a push (PILOT_DEBOUNCE_MAX), and a little
READY = 180.0  # seconds within which a thousand Services have their endpoints
CHANGES = ("first apply", "no change", "one service")
TIMEOUTS = ("2s", "3s")
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Taken:
    """Seconds of a command, its API calls (0: not known), the seconds of its phases, and how its barriers ended."""

    seconds: float
    calls: int = 0
    phases: Mapping[str, float] = field(default_factory=dict)
    barriers: str | None = None


Runs = dict[str, Taken]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", default="1,100,1000", help="sizes, with commas (%(default)s)")
    parser.add_argument("--istiod", default=ISTIOD, help="its debug pages, where it is in no Pod (%(default)s)")
    given = parser.parse_args()
    good = [measure(int(size), given.istiod) for size in given.services.split(",")]
    return 0 if all(good) else 1


def measure(services: int, istiod: str) -> bool:
    barriers = {"graylane": ("--istiod", istiod), "no-barriers": ("--istiod", NOWHERE, "--wait=0")}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kubectl_runs, objects = with_kubectl(folder, services)
        ours = [with_graylane(folder, tool, services, flags) for tool, flags in barriers.items()]
    return report(services, objects, kubectl_runs, *ours)


def with_kubectl(folder: Path, services: int) -> tuple[Runs, int]:
    with namespace(f"graylane-bench-kubectl-{services}", services) as space:
        first, changed = (rendered(folder, group(space, services, timeout)) for timeout in TIMEOUTS)
        runs = {name: plain(folder, text) for name, text in zip(CHANGES, (first, first, changed), strict=True)}
    return runs, first.count("\nkind: ")


def with_graylane(folder: Path, tool: str, services: int, flags: Sequence[str]) -> Runs:
    with namespace(f"graylane-bench-{tool}-{services}", services) as space:
        first, changed = (group(space, services, timeout) for timeout in TIMEOUTS)
        return {name: apply(folder, text, flags) for name, text in zip(CHANGES, (first, first, changed), strict=True)}


def report(services: int, objects: int, theirs: Runs, ours: Runs, unwaited: Runs) -> bool:
    print(f"\n{services:,} services, {objects:,} objects, {os.cpu_count()} cores; seconds, and graylane's API calls")
    print(f"{'':14}{'kubectl':>9}{'graylane':>10}{'ratio':>7}{'no barriers':>13}{'ratio':>7}{'calls':>8}{'calls':>8}")
    for name in CHANGES:
        a, b, c = theirs[name], ours[name], unwaited[name]
        print(f"{name:14}{a.seconds:9.2f}{b.seconds:10.2f}{b.seconds / a.seconds:7.2f}", end="")
        print(f"{c.seconds:13.2f}{c.seconds / a.seconds:7.2f}{b.calls:8,}{c.calls:8,}")
    for name in CHANGES:
        print(f"{name:14}{where(ours[name])}")
    print(f"load average {os.getloadavg()[0]:.1f}")
    return verdict(services, ours["first apply"].seconds / theirs["first apply"].seconds, ours["no change"].calls)


def where(taken: Taken) -> str:
    """Where the seconds of a command went: `prepare 1.20, checks 0.51, …; barriers verified`."""
    rest = taken.seconds - sum(taken.phases.values())
    parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in {**taken.phases, "rest": rest}.items())
    return f"{parts}; barriers {taken.barriers}" if taken.barriers else parts


def verdict(services: int, ratio: float, idle: int) -> bool:
    quick = ratio <= MOST or services < LARGE
    if services >= LARGE:
        print(f"{'reached' if quick else 'MISSED'}: first apply in {ratio:.2f} of kubectl's time, at most {MOST:.2f}")
    print(f"{'reached' if idle <= IDLE else 'MISSED'}: no change in {idle} API calls, at most {IDLE}", flush=True)
    return quick and idle <= IDLE


def apply(folder: Path, spec: str, flags: Sequence[str]) -> Taken:
    file = folder / "spec.yaml"
    file.write_text(spec)
    began = time.perf_counter()
    command = [GRAYLANE, "apply", "-f", str(file), "--drain=0", "--output=json", *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    (said,) = json.loads(done.stdout)
    return Taken(seconds, said["calls"], said["phases"], said["barriers"])


def plain(folder: Path, objects: str) -> Taken:
    file = folder / "objects.yaml"
    file.write_text(objects)
    began = time.perf_counter()
    kubectl("apply", "--server-side", "-f", str(file))
    return Taken(time.perf_counter() - began)


@contextmanager
def namespace(name: str, services: int) -> Iterator[str]:
    kubectl("delete", "namespace", name, "--ignore-not-found")
    try:
        around(name, services)
        yield name
    finally:
        kubectl("delete", "namespace", name, "--ignore-not-found")


def around(namespace: str, services: int) -> None:
    """The namespace, its Services, and the Pod behind them all: one, because what counts here is the API server."""
    labels = {"app": "bench", "version": "v1"}
    container = {"name": "app", "image": "graylane-demo", "ports": [{"containerPort": PORT}]}
    container["args"] = ["--name=bench", "--env=v1", f"--port={PORT}", "--host=0.0.0.0"]
    container["env"] = [{"name": "PROPAGATION_REMOTE_FIELDS", "value": "env"}]
    meta = {"labels": {"istio-injection": "enabled"}, "name": namespace}
    ports = [{"name": "http", "port": PORT}]
    found: list[Manifest] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": meta}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    found.append(manifest("apps/v1", "Deployment", "bench", namespace, spec))
    found += [
        manifest("v1", "Service", f"s{number}-svc", namespace, {"selector": {"app": "bench"}, "ports": ports})
        for number in range(services)
    ]
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": found}))
    kubectl("wait", "--for=condition=Available", "deployment/bench", "-n", namespace, "--timeout=110s")
    until = time.monotonic() + READY
    ready = "-o=jsonpath={.items[*].endpoints[*].conditions.ready}"
    while kubectl("get", "endpointslices", "-n", namespace, ready).split().count("true") < services:
        if time.monotonic() > until:
            sys.exit(f"{namespace}: not every Service has its endpoint after {READY:g} s")
        time.sleep(1)
    time.sleep(DEBOUNCE)


def manifest(api: str, kind: str, name: str, namespace: str, spec: Manifest) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def group(namespace: str, services: int, timeout: str) -> str:
    """A spec of that many services; `timeout` is the first one's alone."""

    def service(number: int) -> Manifest:
        version = {"labels": {"version": "v1"}, "autoscale": {"min": 1, "max": 2}}
        policy = {} if number else {"policy": {"timeout": timeout}}
        return {"host": f"s{number}-svc", "port": PORT, "versions": {"v1": version}, **policy}

    value = {
        "apiVersion": "graylane.dev/v1",
        "kind": "LaneGroup",
        "metadata": {"name": "bench", "namespace": namespace},
        "spec": {
            "lanes": {"prod": {"versions": {f"s{number}": "v1" for number in range(services)}}},
            "services": {f"s{number}": service(number) for number in range(services)},
        },
    }
    return yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False)


def rendered(folder: Path, spec: str) -> str:
    file = folder / "render.yaml"
    file.write_text(spec)
    return subprocess.run([GRAYLANE, "render", "-f", str(file)], check=True, capture_output=True, text=True).stdout


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"kubectl {' '.join(arguments)}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
