"""Graph and Carry agree with what was sent: the edges' rates with the load's, the lost tags with those that were lost.

By access logs of the lab's sidecars, which the console's receiver takes.
"""

import os
import threading
import time
from collections import Counter

import load
import pytest
from carry_lab import GROUP, HOST, OTLP_PORT, asking, meshed
from console_pets import words
from console_world import AT_ONCE, PORT, Browser
from mesh_cluster import gateway_address, until
from rollout_mesh import NAMESPACE

from meshconfig.carry import UNTAGGED, Workload
from meshconfig.cluster.client import Client
from meshconfig.console import Settings, create_app
from meshconfig.console.observed import FromLogs
from meshconfig.console.refs import GroupRef
from meshconfig.console.sources.access import ByKubeconfig
from meshconfig.otlp import Intake, Listen, listening

pytestmark = [
    pytest.mark.console,
    pytest.mark.skipif("KUBECONFIG" not in os.environ, reason="needs a cluster: make console-test starts the lab"),
]

PAGE = f"/g/{NAMESPACE}/{GROUP}"
WITHIN = 0.02
WINDOW, SETTLE = 30, 3  # seconds; of the graph's rates
CAT, MOUSE = ({lane: Workload(name, lane) for lane in ("prod", "gray")} for name in ("cat", "mouse"))


@pytest.fixture(scope="module")
def intake(tmp_path_factory):
    with meshed(NAMESPACE, tmp_path_factory.mktemp("carry")):
        one = Intake()
        with listening([Listen.parse(f"0.0.0.0:{OTLP_PORT}")], one):
            yield one


class Console:
    """A console that has counted nothing yet, and what it has seen."""

    def __init__(self, observer):
        self.observer, self.source = observer, ByKubeconfig(Client.connect(), AT_ONCE).source("")
        settings = Settings.on_loopback(PORT)
        access = ByKubeconfig(Client.connect(), AT_ONCE)
        self.browser = Browser(create_app(settings, access, observer=observer))
        assert self.browser.get(f"/open/{settings.secret}").status_code == 303

    def flows(self):
        """The graph's flows, and the first second of the epoch and the one after the last that they are of."""
        seen = self.observer.flows(self.source, self.source.stated(GroupRef(NAMESPACE, GROUP)), 0)
        end = int(time.time() - SETTLE)
        return {(one.caller, one.callee, one.lane): one.rate for one in seen.what}, (end - WINDOW, end)

    def row(self, version):
        """What the page Carry says of a version."""
        text = self.browser.get(f"{PAGE}/carry").text
        (row,) = [one for one in text.split("<tr>") if f'<th scope="row">{version}</th>' in one]
        return words(f"<main{row}")


@pytest.fixture
def console(intake):
    observer = FromLogs(intake)
    with observer.running():
        one = Console(observer)
        assert one.browser.get(f"{PAGE}/graph").status_code == 200  # from this look on it counts
        yield one


class Sending:
    """Requests by kept connections, each with the second in which it was sent and the tag that cat passes on."""

    def __init__(self, tags, *, every=0):
        """
        Parameters:
            tags: in turn; empty for none.
            every: of so many requests with a tag, one loses it on its way to mouse; 0 for none.
        """
        self.tags, self.every = tags, every
        self.sent, self.problems, self.lock = Counter(), [], threading.Lock()

    def run(self, count, rate):
        threads = []
        pace = load.Pace(rate, 3600.0, count)
        for _ in range(load.CONNECTIONS):
            threads.append(threading.Thread(target=self._work, args=(pace,)))
            threads[-1].start()
        for one in threads:
            one.join()
        assert not self.problems, self.problems[:5]

    def of(self, seconds, tag):
        first, end = seconds
        with self.lock:
            return sum(self.sent[second, tag] for second in range(first, end))

    def _work(self, pace):
        clients = {carried: _client(carried) for carried in (*self.tags, "")}
        for number in pace:
            tag = self.tags[number % len(self.tags)]
            lost = self.every and number % self.every == 0
            began = int(time.time())
            one = clients["" if lost else tag].ask(tag)
            with self.lock:
                self.sent[began, tag] += 1
                if one.status != 200:
                    self.problems.append(one)
        for one in clients.values():
            one.close()


def _client(carried):
    headers = [f"{name}: {value}" for name, value in asking(NAMESPACE, carried or None)]
    return load.Client(gateway_address(), HOST, "/", headers=headers)


@pytest.fixture(scope="module", autouse=True)
def warm(intake):
    """Every way has answered, and the sidecars have found the receiver."""
    for lane in ("gray", ""):
        client = _client(lane)
        until(lambda client=client, lane=lane: client.ask(lane).status == 200, "the entry")
        client.close()
    until(lambda: intake.take(0.5), "the first logs")


def test_a_service_that_drops_a_twentieth_of_the_tags_is_found_in_a_thousand_requests_of_a_lane(console):
    Sending(["gray"], every=20).run(1000, 100)
    until(lambda: "loses the tag" in console.row("cat/gray"), "the page says who loses the tag", 30)
    until(lambda: " 950 50 " in console.row("cat/gray"), "the tags that were lost, and no other", 30)
    said = words(console.browser.get(f"{PAGE}/carry").text)
    print(console.row("cat/gray"))
    assert "Lost by cat/gray" in said
    assert "to mouse: 50 of 1000 calls" in said
    assert "loses the tag" not in console.row("mouse/gray")


def test_of_20_000_requests_of_a_healthy_chain_none_is_lost_and_each_edge_has_its_rate(console):
    sending = Sending(["gray", ""])
    thread = threading.Thread(target=sending.run, args=(20_000, 100))
    thread.start()
    compared = 0
    for _ in range(3):
        thread.join(WINDOW + 2 * SETTLE)
        if not thread.is_alive():
            break
        found, seconds = console.flows()
        for tag, lane, seen in (("gray", "gray", "gray"), ("", "prod", UNTAGGED)):
            sent = sending.of(seconds, tag)
            for edge in ((None, CAT[lane], seen), (CAT[lane], MOUSE[lane], seen)):
                off = found.get(edge, 0) * WINDOW / sent - 1
                print(f"{edge[0] or 'outside'} → {edge[1]} {seen}: {sent} sent, the graph is off by {off:+.2%}")
                assert abs(off) <= WITHIN
                compared += 1
        assert len(found) == 4
    thread.join()
    assert compared
    assert not sending.problems
    until(lambda: " 10000 0 " in console.row("cat/gray"), "each call has been judged", 30)
    print(console.row("cat/gray"))
    assert "loses the tag" not in words(console.browser.get(f"{PAGE}/carry").text)
