"""The barrier against a real istiod: once it holds, the very next request sees the change."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mesh_cluster import ISTIOD, NAMESPACE, PORT, Cluster, Manifest, istio

from meshconfig.cluster.barrier import Barrier, BarrierTimeout, StepChange, Verification
from meshconfig.cluster.barrier.istiod import ByAddress
from meshconfig.cluster.barrier.pages import proxies
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import key

pytestmark = pytest.mark.cluster

HOST = f"cat-svc.{NAMESPACE}.svc.cluster.local"
ENTRY = "barrier.graylane.test"
ROUNDS = 15
READ_ROUNDS = 20
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
        return self._wait(StepChange(written, (), subsets))

    def delete(self, *manifests: Manifest) -> float:
        for one in manifests:
            self.client.delete(key(one))
        return self._wait(StepChange((), tuple(key(one) for one in manifests)))

    def _wait(self, change: StepChange) -> float:
        began = time.monotonic()
        if self.barrier:
            assert self.barrier.holds(change) is Verification.VERIFIED
        return time.monotonic() - began


@pytest.fixture
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


@contextmanager
def somebody_reading() -> Iterator[list[str]]:
    """Reads the sidecars' configuration from istiod all the time, as a dashboard may; the names of those read."""
    pages, ended, read = ByAddress(ISTIOD), threading.Event(), list[str]()

    def go_on() -> None:
        while not ended.is_set():
            for one in proxies(pages.read("syncz", {})):
                if one.namespace == NAMESPACE and pages.read("config_dump", {"proxyID": one.name}):
                    read.append(one.name)

    reader = threading.Thread(target=go_on)
    reader.start()
    try:
        yield read
    finally:
        ended.set()
        reader.join()
        pages.close()


def test_what_istiods_cache_has_kept_of_before_is_noticed_and_mended(
    cluster: Cluster, client: Client, tidy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    tell = ByAddress.tell

    def noted(self: ByAddress, page: str, query: Mapping[str, str]) -> None:
        told.append(page)
        tell(self, page, query)

    monkeypatch.setattr(ByAddress, "tell", noted)
    writer = Writer(client, Barrier(client, istiod=ISTIOD, timeout=120))
    writer.write(rule("prod", "gray"))
    with somebody_reading() as read:
        failures, times = [], []
        for number in range(READ_ROUNDS):
            env = ("gray", "prod")[number % 2]
            times.append(writer.write(mesh(env), entry(env)))
            failures += [f"round {number}: {one}" for one in wrong(cluster, env)]
    print(f"\n{len(read)} readings: {len(failures)} wrong, longest barrier {max(times):.2f} s, "
          f"{told.count('cachez')} times emptied, {told.count('adsz')} times pushed again")  # fmt: skip
    assert not failures


def test_a_deleted_route_is_gone_once_the_barrier_holds(cluster: Cluster, client: Client, tidy: None) -> None:
    writer = Writer(client, Barrier(client, istiod=ISTIOD, timeout=60))
    for _ in range(3):
        writer.write(rule("prod"))
        writer.write(entry("prod"), mesh("prod"))
        assert not wrong(cluster, "prod")
        took = writer.delete(entry("prod"))
        assert {cluster.ask_gateway(ENTRY, "/").status for _ in range(ASKED)} == {404}
        print(f"\ndeleted: {took:.2f} s")


def test_a_change_that_is_there_already_holds(cluster: Cluster, client: Client, tidy: None) -> None:
    barrier = Barrier(client, istiod=ISTIOD, timeout=60)
    writer = Writer(client, barrier)
    writer.write(rule("prod"))
    writer.write(mesh("prod"))
    again = tuple(client.apply(one) for one in (rule("prod"), mesh("prod")))
    began = time.monotonic()
    assert barrier.holds(StepChange(again, (), (New("prod", labels=(("env", "prod"),)),))) is Verification.VERIFIED
    print(f"\nnothing to do: {time.monotonic() - began:.2f} s")


def test_a_proxy_that_stands_still_is_named(cluster: Cluster, client: Client, tidy: None) -> None:
    pods = client.list_resources("Pod", NAMESPACE, "app=bird,env=v9")
    name = f"{pods[0]['metadata']['name']}"
    Writer(client, Barrier(client, istiod=ISTIOD, timeout=60)).write(rule("prod"))
    with stopped(name):
        change = StepChange((client.apply(rule("prod", "gray")),))
        with pytest.raises(BarrierTimeout) as error:
            Barrier(client, istiod=ISTIOD, timeout=8).holds(change)
        assert error.value.waiting_for == (f"{name}.{NAMESPACE}: CDS, EDS",)
    assert Barrier(client, istiod=ISTIOD, timeout=60).holds(change) is Verification.VERIFIED


def test_a_subset_without_pods_is_named(cluster: Cluster, client: Client, tidy: None) -> None:
    subset = New("nobody", labels=(("env", "nobody"),))
    change = StepChange((client.apply(rule("prod", "nobody")),), (), (subset,))
    with pytest.raises(BarrierTimeout, match=f"subset nobody of {HOST}:{PORT}: no ready endpoint"):
        Barrier(client, istiod=ISTIOD, timeout=4).holds(change)


def test_no_istiod_to_ask_is_waited_out(cluster: Cluster, client: Client, tidy: None) -> None:
    change = StepChange((client.apply(rule("prod")),))
    nobody = Barrier(client, istiod="http://127.0.0.1:9", wait=1, timeout=60)
    assert nobody.reach().istiods == ()
    assert "127.0.0.1:9" in nobody.reach().reason
    assert nobody.holds(change) is Verification.UNVERIFIED


@contextmanager
def stopped(pod: str) -> Iterator[None]:
    """The Pod's Envoy, of this lab, does nothing."""
    bootstrap = f"{os.environ.get('LAB_STATE', '')}/pod-{NAMESPACE}-{pod}.envoy.json"
    if not Path(bootstrap).exists():
        pytest.skip("only a lab's own Envoy is stopped")
    found = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if _runs(path, bootstrap)]
    assert len(found) == 1, found
    os.kill(found[0], signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(found[0], signal.SIGCONT)


def _runs(path: Path, bootstrap: str) -> bool:
    try:
        words = path.read_bytes().split(b"\0")
    except OSError:
        return False
    return words[0].endswith(b"envoy") and bootstrap.encode() in words
