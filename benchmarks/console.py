"""How long the console takes for a page of 1,000 services × 50 lanes, against the tests' API server on loopback.

first paint   the page's HTML, from the request to its last byte, of a console that has just started
again         the same, once the group has been read
fresh         from a change in the cluster until the open page has it by its server-sent events
processor     the seconds of a processor for one reading of the group, the API server's part included: on a machine that
              others use too, the times above are theirs as well
"""

import asyncio
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from fake_api import api_server, deployment, service

from meshconfig.cluster.change import Choices, Wanted, Watcher, carry_out
from meshconfig.cluster.client import Client
from meshconfig.console import Settings, create_app
from meshconfig.console.refs import GroupRef
from meshconfig.console.serve import listen, server, spare_collector
from meshconfig.console.sources.access import ByKubeconfig
from meshconfig.console.sources.cluster import ClusterSource
from meshconfig.groups import groups
from meshconfig.load import parse

SERVICES, LANES, OWN = 1000, 50, 20  # OWN: services of which a lane has a version of its own
NOWHERE = "http://127.0.0.1:1"
DEPLOYMENTS = "/apis/apps/v1/namespaces/demo/deployments"
ROUNDS = 5


def spec():
    """Lane i has the version `li` of OWN services; the others fall back."""
    services: dict[str, Any] = {
        f"s{n:04}": {"host": f"s{n:04}", "port": 9001, "versions": {"prod": {"labels": {"v": "prod"}}}}
        for n in range(SERVICES)
    }
    names = list(services)
    lanes: dict[str, dict[str, dict[str, str]]] = {"prod": {}}
    for lane in range(LANES - 1):
        chosen = {names[(lane * OWN + n) % SERVICES]: f"l{lane}" for n in range(OWN)}
        for name in chosen:
            services[name]["versions"][f"l{lane}"] = {"labels": {"v": f"l{lane}"}}
        lanes[f"l{lane}"] = {"versions": chosen}
    entries = [{"hosts": ["shop.example.com"], "routes": [{"path": {"prefix": "/"}, "service": names[0]}]}]
    return {
        "apiVersion": "graylane.dev/v1",
        "kind": "LaneGroup",
        "metadata": {"name": "shop", "namespace": "demo"},
        "spec": {"lanes": lanes, "services": services, "entries": entries},
    }


def filled(api):
    value = spec()
    for name, one in value["spec"]["services"].items():
        api.put(service(name))
        for version in one["versions"]:
            api.answer(
                "POST",
                "/apis/apps/v1/namespaces/demo/deployments",
                deployment(f"{name}-{version}", {"v": version, "app": name}),
            )
    (group,) = groups(parse(yaml.safe_dump(value), "shop.yaml"))
    choices = Choices(istiod=NOWHERE, wait=0, drain=0)
    carry_out(Client.connect(), Wanted("shop", "demo", group.spec), choices, Watcher())


def fresh(client, api):
    """Seconds from a change of a Deployment until the page's stream has it."""
    times = []
    with client.stream("GET", "/g/demo/shop/lanes/events?service=s0000", timeout=60) as answer:
        lines = answer.iter_lines()
        next(line for line in lines if line.startswith("data:"))
        for number in range(ROUNDS):
            with api.lock:
                live = api.get("deployments", "s0000-prod")
                live["status"]["readyReplicas"] = number % 2
                began = time.perf_counter()
                api._store(("deployments", "demo", "s0000-prod"), live)
                live = api.get("deployments", "s0000-prod")
                live["spec"]["replicas"] = 2 + number
                api._run(live)
            wanted = f"{2 + number}/{2 + number}"
            next(line for line in lines if line.startswith("data:") and wanted in line)
            times.append(time.perf_counter() - began)
    return times


def main():
    with api_server() as api, tempfile.TemporaryDirectory() as folder:
        os.environ["KUBECONFIG"] = str(api.kubeconfig(Path(folder)))
        filled(api)
        spare_collector()
        sock = listen(0)
        settings = Settings.on_loopback(sock.getsockname()[1])
        stop = threading.Event()
        one = server(create_app(settings, ByKubeconfig(Client.connect(), Choices(istiod=NOWHERE)), stop))
        thread = threading.Thread(target=lambda: asyncio.run(one.serve(sockets=[sock])))
        thread.start()
        try:
            measure(settings, sock.getsockname()[1], api)
        finally:
            stop.set()
            one.should_exit = True
            thread.join()


def measure(settings, port, api):
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        client.get(f"/open/{settings.secret}")
        first = timed(client)
        time.sleep(10)
        again = [timed(client) for _ in range(ROUNDS)]
        times = fresh(client, api)
    source = ClusterSource(Client.connect(), Choices(istiod=NOWHERE))
    began = time.process_time()
    source.look(GroupRef("demo", "shop"), 60)
    processor = time.process_time() - began
    print(f"{SERVICES} services x {LANES} lanes")
    print(f"first paint  {first:6.2f} s")
    print(f"again        {statistics.median(again):6.2f} s  (at most {max(again):.2f} s)")
    print(f"fresh        {statistics.median(times):6.2f} s  (at most {max(times):.2f} s)")
    print(f"processor    {processor:6.2f} s")


def timed(client):
    began = time.perf_counter()
    answer = client.get("/g/demo/shop/lanes")
    assert answer.status_code == 200, answer.text
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
