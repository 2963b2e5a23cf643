"""The console of a mesh on this machine, in Chromium, with requests all the time."""

import re
import shlex
import subprocess

import pytest
from console_browser import Person
from playwright.sync_api import expect

pytestmark = [pytest.mark.console, pytest.mark.envoy]

GROUP = "/g/demo/pets"
PAGES = ("", "/lanes", "/graph", "/ask?host=cat.example.com&lane=gray", "/carry")


@pytest.fixture
def person(browser, mesh, axe):
    one = Person(browser, mesh.address, axe)
    yield one
    one.close()


@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_in_any_look_of_a_page(person, page):
    assert person.audit(f"{GROUP}{page}" if page else "/") == []


def test_the_graph_shows_what_flows_and_where_a_lane_falls_back_and_stays_fresh(person):
    page = person.open(f"{GROUP}/graph")
    row = page.get_by_role("row").filter(has_text="cat/gray mouse/prod")
    expect(row).to_contain_text("falls back to the baseline")
    first = row.locator("td.number").first
    before = float(first.text_content())
    assert 5 < before < 30
    expect(page.get_by_role("img", name=re.compile("lanes"))).to_be_visible()
    expect(page.locator(".graph text", has_text=re.compile(r"/s$")).first).to_be_visible()
    seen = page.locator("#graph").inner_html()
    page.wait_for_function("before => document.getElementById('graph').innerHTML !== before", arg=seen)


def test_a_lane_is_chosen_by_keyboard(person):
    page = person.open(f"{GROUP}/graph")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.get_by_label("Lane", exact=True).focus()
    page.keyboard.press("g")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("lane=gray"))
    expect(page.get_by_role("rowheader", name="prod")).to_have_count(0)


def test_a_question_is_explained_sent_and_passed_on(person):
    page = person.open(f"{GROUP}/ask")
    page.get_by_label("Path").fill("/sayHello")
    page.get_by_label("Lane", exact=True).select_option("gray")
    page.get_by_role("button", name="Explain").click()
    explained = page.get_by_role("region", name="By the routes")
    expect(explained).to_contain_text("cat/gray")
    expect(explained).to_contain_text("cat → mouse → mouse/prod")
    link = page.get_by_role("link", name="Link to this question").get_attribute("href")
    page.get_by_role("button", name="Send it").click()
    answered = page.get_by_role("region", name="Really answered")
    expect(answered).to_contain_text("200")
    expect(answered).to_contain_text("cat/gray → mouse/prod")
    page = person.open(link)
    expect(page.get_by_role("region", name="By the routes")).to_contain_text("cat/gray")
    assert "env: gray" in page.locator("#curl").text_content()


def test_a_question_is_copied_as_a_command_that_asks_the_same(person):
    person.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = person.open(f"{GROUP}/ask?host=cat.example.com&path=/sayHello&lane=gray")
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied").first).to_be_visible()
    command = shlex.split(page.evaluate("navigator.clipboard.readText()"))
    assert command[0] == "curl"
    said = subprocess.run([*command, "-s"], capture_output=True, text=True, check=True, timeout=30).stdout
    assert said.startswith("HTTP/1.1 200")
    assert "cat/gray" in said


def test_pages_read_without_javascript(browser, mesh):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(mesh.address)
    for path, said in (("graph", "cat/gray"), ("carry", "cat/gray"), ("lanes", "cat"), ("ask", "Explain")):
        page.goto(f"{mesh.address.partition('/open/')[0]}{GROUP}/{path}")
        expect(page.locator("main")).to_contain_text(said)
    context.close()


def test_carry_rates_are_shown(person):
    page = person.open(f"{GROUP}/carry")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="cat/gray"))
    expect(row).to_contain_text("100 %")


def test_no_request_failed_meanwhile(mesh):
    assert mesh.sent > 100
    assert mesh.failed == 0
