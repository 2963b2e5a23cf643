"""The pages that the story in the lab does not come by, in Chromium: those of a person with a token, of errors, of a
change that has ended, and of preview lanes."""

import json
from datetime import UTC, datetime
from threading import Event
from typing import Any, Literal
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
LANE: dict[str, Any] = {
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


@pytest.mark.parametrize(("click", "sent"), [("requestSubmit", 1), ("submit", 2)], ids=["", "past the script"])
def test_a_second_click_leads_to_the_change_of_the_first(person, api, click, sent):
    def slow(method, path):
        Event().wait(0.02)  # so that the second one comes before the answer to the first

    page = person.open(f"{GROUP}/versions/preview?act=weights&service=mouse&weight.v1=6{sent}&weight.v2=40")
    posts = []
    page.on("request", lambda one: posts.append(one.method) if one.method == "POST" else None)
    form = page.get_by_role("button", name="Carry out").locator("xpath=ancestor::form")
    api.before.append(slow)
    form.evaluate("(form, click) => { form[click](); setTimeout(() => form[click](), 100); }", click)
    expect(page.get_by_role("status")).to_have_text("Done", timeout=60_000)
    api.before.remove(slow)
    assert len(posts) == sent


def test_what_was_typed_is_there_after_back(person):
    page = person.open(f"{GROUP}/versions/of/mouse")
    typed = {"Name of the version": "v3", "Labels": "wrong", "Name of its Deployment": "mouse-v3"}
    for label, text in typed.items():
        page.get_by_label(label).fill(text)
    page.get_by_role("button", name="Show diff and plan").last.click()
    expect(page.locator("main")).to_contain_text("takes NAME=VALUE")
    page.go_back()
    for label, text in typed.items():
        expect(page.get_by_label(label)).to_have_value(text)


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


def put_rollout(api, run):
    api.put(rollout_object(of_the_spec(run.state.to_json())))


def test_a_form_in_which_somebody_has_typed_stays_whole_and_says_that_the_rollout_has_gone_on(person, api):
    run = Run().until(Stage.APPROVAL)
    put_rollout(api, run)
    page = person.open(f"{GROUP}/rollouts/cat-v2")
    note = page.get_by_label("Note, for the log")
    note.press_sequentially("as before")
    note.press("ArrowLeft")
    run.send(Approve(who="tom"))
    put_rollout(api, run)
    said = page.get_by_role("alert").filter(has_text="The rollout has gone on")
    expect(said).to_be_visible()
    expect(note).to_be_focused()
    page.keyboard.type("r")
    expect(note).to_have_value("as beforre")
    assert person.violations() == []
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("main")).to_contain_text("no longer where you saw it: tom")
    page.go_back()
    expect(note).to_have_value("as beforre")  # and not asked for again


def test_enter_in_a_note_decides_nothing(person, api):
    run = Run().until(Stage.APPROVAL)
    put_rollout(api, run)
    note = person.open(f"{GROUP}/rollouts/cat-v2").get_by_label("Note, for the log")
    note.fill("wrong image, abort!")
    posts = []
    person.page.on("request", lambda sent: posts.append(sent.method) if sent.method == "POST" else None)
    note.press("Enter")
    person.page.get_by_role("button", name="Abort").click()
    expect(person.page.get_by_role("table").last).to_contain_text("wrong image, abort!")
    assert posts == ["POST"]
    log = json.loads(api.get("rollouts", "cat-v2")["status"]["state"])["log"]
    assert [one["action"] for one in log if one["who"] == "tester"] == ["abort"]


def test_the_composition_of_an_input_method_goes_on_while_the_page_changes(person, api):
    run = Run().until(Stage.APPROVAL)
    put_rollout(api, run)
    page = person.open(f"{GROUP}/rollouts/cat-v2")
    note = page.get_by_label("Note, for the log")
    note.focus()
    keyboard = page.context.new_cdp_session(page)
    keyboard.send("Input.imeSetComposition", {"text": "ni", "selectionStart": 2, "selectionEnd": 2})
    run.send(Approve(who="tom"))
    put_rollout(api, run)
    expect(page.get_by_role("alert").filter(has_text="The rollout has gone on")).to_be_visible()
    keyboard.send("Input.imeSetComposition", {"text": "nihao", "selectionStart": 5, "selectionEnd": 5})
    keyboard.send("Input.insertText", {"text": "你好"})
    expect(note).to_have_value("你好")


def test_what_somebody_has_chosen_and_the_focus_stay_while_rows_come_and_go(person, api):
    put_object(api)
    api.put(LANE)
    page = person.open(f"{GROUP}/previews")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="pr-42"))
    row.get_by_role("combobox").select_option("24")
    end = page.get_by_role("button", name="End lane pr-42")
    end.focus()
    api.put({**LANE, "metadata": {**LANE["metadata"], "name": "pr-1", "uid": "8"}})
    api.put({**LANE, "status": {**LANE["status"], "phase": "Ending"}})
    expect(row).to_contain_text("Ending")
    expect(page.get_by_role("button", name="End lane pr-1")).to_be_visible()
    expect(row.get_by_role("combobox")).to_have_value("24")
    expect(end).to_be_focused()
    expect(row.get_by_role("alert")).to_be_hidden()
    api.put({**LANE, "status": {**LANE["status"], "expires": "2026-01-01T09:00:00Z"}})
    expect(row.get_by_role("alert")).to_contain_text("This lane has changed")


def test_a_page_whose_console_is_gone_says_so(browser, api):
    def make(port):
        return create_app(Settings.behind_proxy(f"http://127.0.0.1:{port}"), ByToken(api.url, choices=WAITING), stop)

    stop = Event()
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.clock.install()
    with served(make) as port:
        log_in(page, f"http://127.0.0.1:{port}/login")
        page.goto(f"http://127.0.0.1:{port}{GROUP}/previews")
        expect(page.get_by_role("heading", name="Previews", exact=True)).to_be_visible()
        stop.set()
    trouble = page.locator("#trouble")
    for _ in range(50):
        page.clock.run_for(12_000)
        if trouble.is_visible():
            break
    expect(trouble).to_contain_text("The console does not answer")
    context.close()


def test_a_wide_part_stays_where_somebody_has_scrolled_it(person, api):
    put_object(api)
    api.put(LANE)
    page = person.open(f"{GROUP}/previews")
    page.set_viewport_size({"width": 320, "height": 640})
    part = page.get_by_role("region", name="Previews")
    part.focus()
    part.evaluate("one => { one.scrollLeft = 50 }")
    api.put({**LANE, "status": {**LANE["status"], "phase": "Failed"}})
    expect(part).to_contain_text("Failed")
    assert part.evaluate("one => one.scrollLeft") == 50
    expect(part).to_be_focused()
