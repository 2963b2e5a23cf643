"""The pages that the story in the lab does not come by, in Chromium: those of a person with a token, of errors, of a
change that has ended, and of preview lanes."""

from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from console_browser import Person
from console_served import served
from console_world import apply, put_demo, put_object
from fake_api import api_server
from playwright.sync_api import expect
from rollout_objects import of_the_spec, rollout_object
from rollout_world import Run

from meshconfig.cluster.change import Choices
from meshconfig.console import Settings, create_app
from meshconfig.console.sources.access import ByToken
from meshconfig.rollout.events import Approve
from meshconfig.rollout.state import Stage

pytestmark = pytest.mark.console

GROUP = "/g/demo/pets"
WAITING = Choices(istiod="http://127.0.0.1:1", wait=2, drain=0)  # so that there is time to stop a change
LANE = {
    "apiVersion": "graylane.dev/v1",
    "kind": "Lane",
    "metadata": {"name": "pr-42", "namespace": "demo", "uid": "7", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {"group": "pets", "ttl": "4h", "versions": {"cat": {"from": "v1", "image": "cat:pr-42"}}},
    "status": {
        "phase": "Ready",
        "expires": "2026-01-01T04:00:00Z",
        "versions": [{"service": "cat", "labels": {"version": "pr-42"}}],
        "link": "http://cat.example.com/.lane/pr-42",
    },
}


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with api_server() as one, pytest.MonkeyPatch.context() as patch:
        put_demo(one)
        patch.setenv("KUBECONFIG", str(one.kubeconfig(tmp_path_factory.mktemp("api"))))
        apply()
        yield one


class Slow:
    """A Prometheus that has not answered yet."""

    origin: Literal["prometheus"] = "prometheus"

    def flows(self, *ignored):
        return None

    carry = flows


@pytest.fixture(scope="module")
def address(api):
    def make(port):
        settings, access = Settings.behind_proxy(f"http://127.0.0.1:{port}"), ByToken(api.url, choices=WAITING)
        return create_app(settings, access, observer=Slow())

    with served(make) as port:
        yield f"http://127.0.0.1:{port}/login"


@pytest.fixture(scope="module")
def person(address, browser, axe):
    one = Person(browser, address, axe)
    yield one
    # The browser reports the status of an error page as an error.
    one.trouble[:] = [said for said in one.trouble if "the server responded with a status of 4" not in said]
    one.close()


def log_in(page, address):
    page.goto(address)
    page.get_by_label("Token").fill("abc.def.ghi")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("tester")).to_be_visible()


def test_axe_finds_nothing_where_a_token_is_pasted_in_which_opens_the_console(person):
    assert person.audit("/login") == []
    person.open("/login")
    person.picture("login")
    log_in(person.page, f"{person.origin}/login")


def test_axe_finds_nothing_on_a_change_that_has_ended(person):
    page = person.open(f"{GROUP}/versions/preview?act=weights&service=mouse&weight.v1=50&weight.v2=50")
    page.get_by_role("button", name="Carry out").click()
    expect(page.get_by_role("status")).to_have_text("Done", timeout=60_000)
    assert person.audit(page.url.removeprefix(person.origin)) == []


def test_times_are_in_the_readers_zone_and_without_javascript_in_utc(browser, address):
    for zone, script in (("Asia/Shanghai", True), ("America/New_York", True), ("Asia/Shanghai", False)):
        context = browser.new_context(timezone_id=zone, locale="en-GB", java_script_enabled=script)
        page = context.new_page()
        log_in(page, address)
        page.goto(f"{address.removesuffix('/login')}{GROUP}/history")
        one = page.locator("time").first
        moment = datetime.fromisoformat(one.get_attribute("datetime"))
        here = moment.astimezone(ZoneInfo(zone))
        shown = f"{here.hour % 12 or 12}:{here:%M:%S}" if script else f"{moment.astimezone(UTC):%H:%M:%SZ}"
        expect(one).to_contain_text(shown)
        context.close()


def test_a_change_is_stopped_while_it_waits(person, api):
    page = person.open(f"{GROUP}/versions/preview?act=add&service=mouse&version=v3&from=v2&weight=10")
    page.get_by_role("button", name="Carry out").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status")).to_have_text("Not completed", timeout=60_000)
    expect(page.locator("main")).to_contain_text("stopped by tester")
    person.open(f"{GROUP}/history")
    expect(page.get_by_role("row").filter(has_text="version add mouse v3")).to_contain_text("failed")


def test_axe_finds_nothing_where_a_person_has_too_many_changes_under_way(person, monkeypatch):
    monkeypatch.setattr("meshconfig.console.jobs.EACH", 0)
    page = person.open(f"{GROUP}/versions/preview?act=weights&service=mouse&weight.v1=40&weight.v2=60")
    page.get_by_role("button", name="Carry out").click()
    expect(page.locator("main")).to_contain_text("changes under way, the most")
    assert person.violations() == []


@pytest.mark.parametrize("page", ["graph", "carry"])
def test_axe_finds_nothing_while_a_source_of_real_requests_has_not_answered(person, page):
    assert person.audit(f"{GROUP}/{page}") == []
    person.open(f"{GROUP}/{page}")
    expect(person.page.locator("main")).to_contain_text("Prometheus has not answered yet")


@pytest.mark.parametrize("path", ["/?namespace=demo", "/?namespace=empty", "/nowhere", "/g/demo/none/lanes"])
def test_axe_finds_nothing_on_the_first_page_and_on_those_of_errors(person, path):
    assert person.audit(path) == []


def test_axe_finds_nothing_on_the_pages_of_preview_lanes(person, api):
    assert person.audit(f"{GROUP}/previews") == []
    put_object(api)
    api.put(LANE)
    made = "lane=pr-43&ttl=4h&versions=cat+v1+cat%3Apr-43"
    for page in ("previews", "previews/ending?lane=pr-42", f"previews/preview?{made}"):
        assert person.audit(f"{GROUP}/{page}") == []
    page = person.open("/?namespace=demo")
    person.picture("groups")
    page = person.open(f"{GROUP}/versions")
    person.picture("versions")
    page = person.open(f"{GROUP}/previews")
    expect(page.get_by_role("row").filter(has_text="pr-42")).to_contain_text("Ready")
    person.picture("previews")


def test_what_somebody_has_typed_or_chosen_stays_while_the_page_changes_around_it(person, api):
    run = Run().until(Stage.APPROVAL)
    api.put(rollout_object(of_the_spec(run.state.to_json())))
    page = person.open(f"{GROUP}/rollouts/cat-v2")
    note = page.get_by_label("Note, for the log")
    note.press_sequentially("as before")
    note.press("ArrowLeft")
    run.send(Approve(who="tom"))
    api.put(rollout_object(of_the_spec(run.state.to_json())))
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    expect(note).to_be_focused()
    page.keyboard.type("r")
    expect(note).to_have_value("as beforre")

    api.put(LANE)
    page = person.open(f"{GROUP}/previews")
    page.get_by_role("combobox").select_option("24")
    row = page.get_by_role("row").filter(has_text="pr-42")
    api.put({**LANE, "status": {**LANE["status"], "phase": "Ending"}})
    expect(row).to_contain_text("Ending")
    expect(page.get_by_role("combobox")).to_have_value("24")
