"""A hundred preview lanes on fifty services, against an API server and istiod, without sidecars: seconds until all of
them are Ready and until all of them are gone, and whether every object and route is right.

    python3 ../shared/lab/lab.py exec -- .venv/bin/python benchmarks/previews.py [--lanes 100 --services 50]

It uses the cluster of KUBECONFIG and starts none. All lanes are written at once, so that few plans take them in; the
controller runs beside it. The containers have an image that nobody runs: in the lab such Pods are ready at once. Each
lane has its own version of two services. The exit status is 1 where an object or a route is missing, wrong, or left.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from apply import GRAYLANE, ISTIOD, PORT, kubectl

SPACE, GROUP, BASE, IMAGE = "graylane-bench-previews", "bench", "prod", "nobody-runs-this"
PATIENCE = 1800.0  # seconds for all lanes to come, and to go
EVERY = 1.0
Manifest = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=int, default=100, help="how many (%(default)s)")
    parser.add_argument("--services", type=int, default=50, help="how many (%(default)s)")
    parser.add_argument("--istiod", default=ISTIOD, help="its debug pages, where it is in no Pod (%(default)s)")
    given = parser.parse_args()
    subprocess.run(
        f"{GRAYLANE} crds | kubectl apply --server-side -f -", shell=True, check=True, stdout=subprocess.DEVNULL
    )
    kubectl("delete", "namespace", SPACE, "--ignore-not-found")
    command = [GRAYLANE, "controller", "-n", SPACE, "--istiod", given.istiod, "--drain=0"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            return 0 if measure(given.lanes, given.services) else 1
        finally:
            # It still runs when the namespace goes: who else would take the finalizers away?
            kubectl("delete", "namespace", SPACE, "--ignore-not-found")
            process.terminate()


def measure(lanes: int, services: int) -> bool:
    write([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}])
    names = [f"s{number}" for number in range(services)]
    write([part for name in names for part in (service(name), deployment(name))])
    write([group(names)])
    until(lambda: all(map(is_ready, listed("lanegroups.graylane.dev"))), "the group is true")
    before = routing()
    own = {f"pr-{number}": chosen(names, number) for number in range(lanes)}

    came = timed(lambda: write([lane(name, mine) for name, mine in own.items()]), lambda: ready_lanes() == lanes)
    plans = revisions()
    wrong = [*wrong_routes(own), *wrong_objects(own)]
    gone = timed(lambda: kubectl("delete", "lanes.graylane.dev", "--all", "-n", SPACE, "--wait=false"), nothing_left)
    wrong += [f"{name} is not as it was before the lanes" for name in changed(before, routing())]

    print(f"{lanes} lanes on {services} services: all Ready after {came:.1f} s, in {plans - 1} plans; ", end="")
    print(f"all gone after {gone:.1f} s; {len(wrong)} wrong objects or routes", flush=True)
    print(*wrong[:20], sep="\n")
    return not wrong


def chosen(names: list[str], number: int) -> list[str]:
    """The services of which a lane has its own version."""
    return list(dict.fromkeys([names[number % len(names)], names[(number * 7 + 3) % len(names)]]))


def timed(begin: Callable[[], object], done: Callable[[], bool]) -> float:
    began = time.monotonic()
    begin()
    until(done, "it is done")
    return time.monotonic() - began


def until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > end:
            sys.exit(f"not within {PATIENCE:.0f} s: {what}")
        time.sleep(EVERY)


def ready_lanes() -> int:
    return sum(one.get("status", {}).get("phase") == "Ready" for one in listed("lanes.graylane.dev"))


def is_ready(one: Manifest) -> bool:
    conditions = one.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def nothing_left() -> bool:
    return not listed("lanes.graylane.dev") and not listed("deployments", "-l", "graylane.dev/lane")


def revisions() -> int:
    """The number of the newest revision of the group."""
    (one,) = listed("lanegroups.graylane.dev")
    return int(one["status"]["revision"])


def wrong_routes(own: dict[str, list[str]]) -> Iterator[str]:
    """Each lane's own services are reached by its tag, through a subset of its Pods; of the others none is its."""
    routes = {one["spec"]["hosts"][0].partition(".")[0]: one["spec"]["http"] for one in listed("virtualservices")}
    rules = {one["spec"]["host"].partition(".")[0]: one["spec"]["subsets"] for one in listed("destinationrules")}
    pods = [one["metadata"]["labels"] for one in listed("pods")]
    for name, mine in own.items():
        for host, http in routes.items():
            subsets = [subset for route in http if asks(route, name) for subset in leads(route)]
            wanted = [name] if host.removesuffix("-svc") in mine else []
            if [one for one in subsets if one != BASE] != wanted:
                yield f"{host}: the tag {name} leads to {subsets or 'nowhere'}, not to {wanted or BASE}"
        for one in mine:
            labels = next((each["labels"] for each in rules[f"{one}-svc"] if each["name"] == name), {})
            if [pod.get("graylane.dev/lane") for pod in pods if pod.items() >= labels.items()] != [name]:
                yield f"{one}: the subset {name}, of {labels}, has not its one Pod"


def asks(route: Manifest, lane: str) -> bool:
    return any(match.get("headers", {}).get("env", {}).get("exact") == lane for match in route.get("match", ()))


def leads(route: Manifest) -> list[str]:
    return [one["destination"].get("subset", "") for one in route.get("route", ())]


def wrong_objects(own: dict[str, list[str]]) -> Iterator[str]:
    there = {one["metadata"]["name"]: one for one in listed("deployments", "-l", "graylane.dev/lane")}
    wanted = {f"{service}-{name}": name for name, mine in own.items() for service in mine}
    yield from (f"Deployment {name} is missing" for name in wanted.keys() - there.keys())
    yield from (f"Deployment {name} is nobody's" for name in there.keys() - wanted.keys())
    for name, one in there.items():
        (container,) = one["spec"]["template"]["spec"]["containers"]
        if container["image"] != f"{IMAGE}:{wanted.get(name)}":
            yield f"Deployment {name} has the image {container['image']}"
        if one["metadata"].get("ownerReferences"):
            yield f"Deployment {name} has an owner"


def routing() -> dict[str, str]:
    found = [*listed("virtualservices"), *listed("destinationrules")]
    return {f"{one['kind']} {one['metadata']['name']}": json.dumps(one["spec"], sort_keys=True) for one in found}


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def group(names: list[str]) -> Manifest:
    services = {
        name: {"host": f"{name}-svc", "port": PORT, "versions": {BASE: {"labels": {"version": BASE}}}} for name in names
    }
    return manifest("graylane.dev/v1", "LaneGroup", GROUP, {"lanes": {BASE: {}}, "services": services})


def lane(name: str, mine: list[str]) -> Manifest:
    versions = {one: {"from": BASE, "image": f"{IMAGE}:{name}"} for one in mine}
    return manifest("graylane.dev/v1", "Lane", name, {"group": GROUP, "versions": versions})


def service(name: str) -> Manifest:
    ports = [{"name": "http", "port": PORT, "targetPort": PORT}]
    return manifest("v1", "Service", f"{name}-svc", {"selector": {"app": name}, "ports": ports})


def deployment(name: str) -> Manifest:
    labels = {"app": name, "version": BASE}
    container = {"name": "app", "image": f"{IMAGE}:{BASE}", "ports": [{"name": "http", "containerPort": PORT}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return manifest("apps/v1", "Deployment", f"{name}-{BASE}", spec)


def manifest(api: str, kind: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": SPACE}, "spec": spec}


def write(manifests: list[Manifest]) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    kubectl("apply", "--server-side", "-f", "-", stdin=text)


def listed(resource: str, *options: str) -> list[Manifest]:
    name = f"{resource}.networking.istio.io" if resource in ("virtualservices", "destinationrules") else resource
    done = subprocess.run(
        ["kubectl", "get", name, "-n", SPACE, "-o", "json", *options], capture_output=True, text=True, check=True
    )
    found: list[Manifest] = json.loads(done.stdout)["items"]
    return found


if __name__ == "__main__":
    sys.exit(main())
