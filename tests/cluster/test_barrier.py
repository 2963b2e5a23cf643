"""The barrier against a real istiod: once it holds, the very next request sees the change."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from mesh_cluster import ISTIOD, NAMESPACE, PORT, Cluster, Manifest, istio

from meshconfig.cluster.barrier import Barrier, Change, Verdict
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import key

pytestmark = pytest.mark.cluster

HOST = f"cat-svc.{NAMESPACE}.svc.cluster.local"
ENTRY = "barrier.graylane.test"
ROUNDS = 30
ASKED = 8  # requests right after a barrier, each way


@dataclass(frozen=True)
class New:
    name: str
    host: str = HOST
    port: int = PORT
    labels: tuple[tuple[str, str], ...] = ()


@dataclass
class Writer:
    """Applies and deletes; with a barrier each write waits, without one it does not."""

    client: Client
    barrier: Barrier | None

    def write(self, *manifests: Manifest, subsets: tuple[New, ...] = ()) -> float:
        written = tuple(self.client.apply(one) for one in manifests)
        return self._wait(Change(written, (), subsets))

    def delete(self, *manifests: Manifest) -> float:
        for one in manifests:
            self.client.delete(key(one))
        return self._wait(Change((), tuple(key(one) for one in manifests)))

    def _wait(self, change: Change) -> float:
        began = time.monotonic()
        if self.barrier:
            assert self.barrier.holds(change) is Verdict.VERIFIED
        return time.monotonic() - began


@pytest.fixture(scope="module")
def client() -> Client:
    return Client.connect()


@pytest.fixture
def tidy(client: Client, cluster: Cluster) -> Iterator[None]:
    yield
    for manifest in (entry("prod"), mesh("prod"), rule("prod")):
        client.delete(key(manifest))


def rule(*subsets: str) -> Manifest:
    spec = {"host": HOST, "subsets": [{"name": _subset(name), "labels": {"env": _env(name)}} for name in subsets]}
    return istio("DestinationRule", "barrier", spec)


def mesh(subset: str) -> Manifest:
    return istio("VirtualService", "barrier-mesh", {"hosts": [HOST], "gateways": ["mesh"], "http": [_to(subset)]})


def entry(subset: str) -> Manifest:
    return istio("VirtualService", "barrier-entry", {"hosts": [ENTRY], "gateways": ["probe"], "http": [_to(subset)]})


def _to(subset: str) -> dict[str, Any]:
    destination = {"host": HOST, "port": {"number": PORT}, "subset": _subset(subset)}
    return {"name": "default", "route": [{"destination": destination}]}


def _subset(name: str) -> str:
    return name.replace(".", "-")


def _env(name: str) -> str:
    return name.partition(".")[0]


def wrong(cluster: Cluster, version: str) -> list[str]:
    """Answers, through the gateway and from a sidecar, that are not by this version."""
    ways: list[Callable[[], Any]] = [lambda: cluster.ask_gateway(ENTRY, "/"), lambda: cluster.ask_mesh("cat", "/")]
    answers = [ask() for _ in range(ASKED) for ask in ways]
    return [f"{one.status} {one.version}" for one in answers if one.status != 200 or one.version != version]


def rounds(cluster: Cluster, writer: Writer) -> tuple[list[str], list[float]]:
    """Time after time: a subset that no proxy knows, a route to it at once, and requests at once."""
    writer.write(rule("prod"))
    writer.write(mesh("prod"), entry("prod"))
    failures, times = [], []
    for number in range(ROUNDS):
        env = ("gray", "blue", "canary", "v9", "prod")[number % 5]
        name = f"{env}.{number}"
        times.append(writer.write(rule("prod", name), subsets=(New(_subset(name), labels=(("env", env),)),)))
        times.append(writer.write(mesh(name), entry(name)))
        failures += [f"round {number}: {one}" for one in wrong(cluster, env)]
        times.append(writer.write(mesh("prod"), entry("prod")))
        failures += [f"round {number}, back: {one}" for one in wrong(cluster, "prod")]
        times.append(writer.write(rule("prod")))
        failures += [f"round {number}, pruned: {one}" for one in wrong(cluster, "prod")]
    return failures, times


def test_what_follows_a_barrier_sees_the_change(cluster: Cluster, client: Client, tidy: None) -> None:
    failures, times = rounds(cluster, Writer(client, Barrier(client, istiod=ISTIOD, timeout=60)))
    asked = ROUNDS * 3 * ASKED * 2
    print(f"\nwith barriers: {len(failures)} of {asked} requests wrong, {len(times)} barriers, "
          f"median {sorted(times)[len(times) // 2]:.2f} s, longest {max(times):.2f} s")  # fmt: skip
    plain, _ = rounds(cluster, Writer(client, None))
    print(f"without: {len(plain)} of {asked} wrong, such as {plain[:3]}")
    assert not failures
