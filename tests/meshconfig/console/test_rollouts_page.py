"""The page Rollouts: where each stands, and decisions by the person who makes them."""

import re

import pytest
from console_pets import forbid, put_pets, words
from console_world import api_server
from rollout_objects import of_the_spec, rollout_object
from rollout_world import Run

from meshconfig.rollout.events import Approve
from meshconfig.rollout.state import Stage

ONE = "/g/demo/pets/rollouts/cat-v2"


@pytest.fixture
def run():
    return Run().until(Stage.APPROVAL)


@pytest.fixture
def api(run):
    with api_server() as one:
        put_pets(one)
        put(one, run)
        yield one


def put(api, run):
    api.put(rollout_object(of_the_spec(run.state.to_json())))


def mark(text):
    return re.search(r'name="mark" value="([^"]+)"', text)[1]


def stage(api):
    return api.get("rollouts", "cat-v2")["status"]["state"]


def test_the_list_leads_to_each(browser):
    assert "cat-v2" in browser.get("/g/demo/pets/rollouts").text
    assert "awaiting approval" in words(browser.get(ONE).text)
    assert browser.get("/g/demo/pets/rollouts/none").status_code == 404


def test_an_approval_goes_on_with_the_persons_name_and_note(browser, api):
    text = browser.get(ONE).text
    answer = browser.submit(ONE, decision="approve", note="errors as before <b>", mark=mark(text))
    assert answer.status_code == 303
    said = browser.get(ONE).text
    assert "errors as before <b>" in words(said)
    assert "<b>" not in said.replace("<body", "")
    assert "tester approve" in words(said)


def test_only_what_the_stage_allows_is_offered(browser, api, run):
    text = browser.get(ONE).text
    offered = re.findall(r'id="decide-(\w+)"', text)
    assert offered == ["approve", "abort", "rollback"]
    assert browser.submit(ONE, decision="resume", mark=mark(text)).status_code == 409
    assert browser.submit(ONE, decision="explode", mark=mark(text)).status_code == 404


def test_the_second_of_two_people_is_told_and_changes_nothing(browser, api):
    seen = mark(browser.get(ONE).text)
    assert browser.submit(ONE, decision="abort", note="wrong image", mark=seen).status_code == 303
    before = stage(api)
    answer = browser.submit(ONE, decision="approve", mark=seen)
    assert answer.status_code == 409
    assert "abort" in words(answer.text)
    assert stage(api) == before


def test_a_decision_that_is_sent_twice_is_taken_once(browser, api):
    form = dict(re.findall(r'name="(mark|once)" value="([^"]+)"', browser.get(ONE).text.partition('id="decide"')[2]))
    assert set(form) == {"mark", "once"}
    answers = [browser.form(ONE, {**form, "decision": "approve"}) for _ in range(2)]
    assert [one.headers["location"] for one in answers] == [ONE, ONE]
    assert words(browser.get(ONE).text).count("tester approve") == 1


def test_the_page_of_a_refused_decision_leads_back_to_the_rollout(browser):
    answer = browser.submit(ONE, decision="approve", mark="old")
    assert f'<a href="{ONE}">Try again' in answer.text
    assert f'next={ONE}"' in answer.text  # of the choice of a language
    assert 'href="/g/demo/pets/history"' in answer.text


def test_a_note_that_is_too_long_is_refused_and_not_cut(browser, api):
    seen, before = mark(browser.get(ONE).text), stage(api)
    answer = browser.submit(ONE, decision="approve", mark=seen, note="x" * 1001)
    assert answer.status_code == 400
    assert "note: has at most 1000 characters, not 1001" in answer.text
    assert stage(api) == before


def test_enter_in_the_note_presses_a_button_that_does_nothing(browser):
    """Without JavaScript, too: a browser presses the first button of the form."""
    form = re.search(r'<form id="decision".*?</form>', browser.get(ONE).text, re.S)[0]
    assert re.findall(r"<button[^>]*>", form)[0] == "<button disabled hidden>"


def test_who_may_not_write_rollouts_is_told_so(browser, api):
    seen, before = mark(browser.get(ONE).text), stage(api)
    api.before.append(forbid(lambda method, path: method in ("PUT", "PATCH")))
    answer = browser.submit(ONE, decision="approve", mark=seen)
    assert answer.status_code == 403
    assert "Your account may not do this" in words(answer.text)
    assert stage(api) == before


def test_measurements_are_drawn_with_their_limits(browser, api):
    run = Run().until(Stage.APPROVAL)
    run.send(Approve("eva"))
    for value in (0.995, 0.998, 1.0):
        run.measure(value=value)
    put(api, run)
    text = browser.get(ONE).text
    assert "success/cat" in words(text)
    chart = next(one for one in re.findall(r"<svg class=\"chart\".*?</svg>", text, re.S) if "success/cat" in one)
    assert chart.count("<circle") == 3
    assert "stroke-dasharray" in chart
    assert "at least 0.99" in words(text)
