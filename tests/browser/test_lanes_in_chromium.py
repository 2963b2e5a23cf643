"""A real Chromium clicks a lane's link, loads a page with twenty assets of two services, and stays in its lane, also
while another version takes over.

It needs Debian's `chromium`, or a Chromium whose path GRAYLANE_CHROMIUM gives. Without one the test is skipped, unless
GRAYLANE_BROWSER is `required`.
"""

import itertools
import signal
import threading
from collections import Counter
from pathlib import Path

import pytest
import shop_pages
from chromium import chromium as browser
from local_lab import Command

pytestmark = [pytest.mark.envoy, pytest.mark.browser]

LOADS = 300
HOST = "shop.example.com"
BASELINES = ("v1", "v3")  # they take over from each other
SERVICES = ("cat", "mouse")
SPEC = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: shop, namespace: demo}}
spec:
  lanes:
    prod: {{versions: {{cat: {prod}, mouse: {prod}}}}}
    gray: {{versions: {{cat: v2, mouse: v2}}}}
  services:
    cat: {{host: cat-svc, port: 9001, versions: {versions}}}
    mouse: {{host: mouse-svc, port: 9001, versions: {versions}}}
  entries:
    - hosts: [shop.example.com]
      cookie: lane
      links: /.lane
      routes: [{{path: {{prefix: /mouse/}}, service: mouse}}, {{service: cat}}]
"""
VERSIONS = "{v1: {labels: {v: v1}}, v2: {labels: {v: v2}}, v3: {labels: {v: v3}}}"


def spec(prod):
    return SPEC.format(prod=prod, versions=VERSIONS)


def workloads():
    program = Path(shop_pages.__file__)
    lines = [
        f"      {version}: {{command: [python, {program}, {service}, {version}, '{{port}}']}}"
        for service in SERVICES
        for version in ("v1", "v2", "v3")
    ]
    head = "apiVersion: graylane/v1\nkind: LocalMesh\nmetadata: {name: shop, namespace: demo}\nspec:\n  workloads:\n"
    return head + "\n".join(["    cat:", *lines[:3], "    mouse:", *lines[3:], ""])


def save(file, text):
    """As an editor does it: whole, by a rename."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


@pytest.fixture
def shop(tmp_path):
    """The spec's file of a shop that runs, and the port of its gateway."""
    folder, temporary = tmp_path / "shop", tmp_path / "tmp"
    folder.mkdir()
    temporary.mkdir()
    (folder / "graylane.yaml").write_text(spec("v1"))
    (folder / "local.yaml").write_text(workloads())
    command = Command("local", "up", "-f", str(folder / "graylane.yaml"), temporary=temporary)
    try:
        command.until("Ctrl-C stops", patience=60)
        yield folder / "graylane.yaml", command.port("gateway")
    finally:
        command.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def chromium():
    with browser() as one:
        yield one


class Tab:
    """A browser of its own, with its own cookies, that has opened the shop; `answers` are of the page that is open."""

    def __init__(self, chromium, port):
        self.context = chromium.new_context()
        self.page = self.context.new_page()
        self.address = f"http://127.0.0.1:{port}/"
        self.answers = []
        self.page.on("response", lambda one: self.answers.append((one.status, one.headers.get("x-version", ""))))

    def open(self):
        return self._whole(lambda: self.page.goto(self.address))

    def click(self, lane):
        """Clicks the link into a lane, which leads back to the page."""
        return self._whole(lambda: self.page.get_by_role("link", name=lane, exact=True).click())

    def _whole(self, act):
        self.answers.clear()
        act()
        self.page.wait_for_load_state("load")
        answers = [one for one in self.answers if one[0] != 302 and one[1]]
        assert [status for status, _ in answers] == [200] * (1 + len(shop_pages.ASSETS)), self.answers
        return Counter(who for _, who in answers)


def of(*versions):
    """What a page has if one version of each service sent all of it: the page itself and its assets."""
    return [{f"cat/{one}": 11, f"mouse/{one}": 10} for one in versions]


def test_a_click_leads_into_a_lane_and_the_browser_stays_there(shop, chromium):
    tab = Tab(chromium, shop[1])
    assert [tab.open()] == of("v1")
    assert [tab.click("gray"), tab.open(), tab.open()] == of("v2", "v2", "v2")
    assert tab.page.title() == "cat/v2"
    assert [tab.click("prod"), tab.open()] == of("v1", "v1")
    tab.context.close()


def test_no_page_is_of_two_lanes_while_a_version_takes_over(shop, chromium):
    file, port = shop
    tabs = {"gray": Tab(chromium, port), "prod": Tab(chromium, port)}
    tabs["gray"].open()
    tabs["gray"].click("gray")
    stopped, changes = threading.Event(), itertools.count()

    def take_over():
        for prod in itertools.cycle(reversed(BASELINES)):
            if stopped.wait(0.7):
                return
            save(file, spec(prod))
            next(changes)

    changing = threading.Thread(target=take_over)
    changing.start()
    try:
        pages = [(lane, tabs[lane].open()) for _ in range(LOADS // 2) for lane in tabs]
    finally:
        stopped.set()
        changing.join()
    lanes = Counter((lane, *sorted({who.partition("/")[2] for who in answers})) for lane, answers in pages)
    size = 1 + len(shop_pages.ASSETS)
    print(f"\n{len(pages)} page loads of {size} requests, {next(changes)} take-overs: {dict(lanes)}")
    # During a take-over the baseline's own version changes; lane gray has one version all the time.
    assert {tuple(versions) for lane, *versions in lanes if lane == "gray"} == {("v2",)}
    assert {one for lane, *versions in lanes if lane == "prod" for one in versions} == {*BASELINES}
