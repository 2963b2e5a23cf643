"""Preview lanes in the console: proposed, made, prolonged, ended."""

import re

import pytest
from console_pets import hidden
from console_world import apply, put_object
from fake_controller import owned

PREVIEWS = "/g/demo/pets/previews"
FIELDS = {"lane": "pr-42", "ttl": "4h", "versions": "cat v1 cat:pr-42\nmouse version=v2"}


@pytest.fixture
def browser(api, browser):
    apply()
    put_object(api)
    return browser


def mark(browser):
    """That of the form by which the lane on the page is prolonged."""
    return re.search(r'name="mark" value="([^"]*)"', browser.get(PREVIEWS).text)[1]


def test_a_lane_is_shown_with_its_plan_before_it_is_made(browser, api):
    text = browser.get(f"{PREVIEWS}/preview", params=FIELDS).text
    assert '<span class="added">+  ttl: ' in text
    assert "pr-42" in text
    assert '<ol class="steps">' in text
    assert api.get("lanes", "pr-42") is None
    assert browser.submit(f"{PREVIEWS}/make", **hidden(text)).status_code == 303
    spec = api.get("lanes", "pr-42")["spec"]
    assert spec == {
        "group": "pets",
        "ttl": "4h",
        "versions": {"cat": {"from": "v1", "image": "cat:pr-42"}, "mouse": {"labels": {"version": "v2"}}},
    }
    assert ">pr-42</th>" in browser.get(PREVIEWS).text


def test_a_lane_that_is_there_is_not_written_over(browser, api):
    assert browser.submit(f"{PREVIEWS}/make", **FIELDS).status_code == 303
    shown = browser.get(f"{PREVIEWS}/preview", params={**FIELDS, "ttl": "1h"})
    assert (shown.status_code, "Carry out" in shown.text) == (409, False)
    answer = browser.submit(f"{PREVIEWS}/make", **{**FIELDS, "ttl": "1h"})
    assert answer.status_code == 409
    assert "It is there already" in answer.text
    assert f'<a href="{PREVIEWS}">Try again' in answer.text
    assert api.get("lanes", "pr-42")["spec"]["ttl"] == "4h"


def test_of_two_who_make_a_lane_at_once_the_second_is_told(browser, api):
    def another_is_first(method, path):
        if method == "POST" and path.partition("?")[0].endswith("/lanes"):
            api.before.remove(another_is_first)
            api.put(
                {"apiVersion": "graylane.dev/v1", "kind": "Lane", "metadata": {"name": "pr-42", "namespace": "demo"}}
            )

    api.before.append(another_is_first)
    answer = browser.submit(f"{PREVIEWS}/make", **FIELDS)
    assert answer.status_code == 409
    assert "It is there already" in answer.text


def test_a_lane_that_is_made_by_two_clicks_is_made_once(browser, api):
    form = hidden(browser.get(f"{PREVIEWS}/preview", params=FIELDS).text)
    assert [browser.form(f"{PREVIEWS}/make", form).status_code for _ in range(2)] == [303, 303]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"versions": "house v1"}, "no service house"),
        ({"versions": "cat v9"}, "v9"),
        ({"versions": "cat"}, "SERVICE FROM"),
        ({"versions": "cat v1\ncat v2"}, "once for each service"),
        ({"versions": ""}, "versions"),
        ({"ttl": "soon"}, "ttl"),
        ({"lane": "Not A Name"}, "name"),
        ({"lane": "gray"}, "gray"),
    ],
)
def test_what_does_not_fit_is_said_and_not_made(browser, api, fields, said):
    answer = browser.get(f"{PREVIEWS}/preview", params={**FIELDS, **fields})
    assert answer.status_code == 400, answer.text
    assert said in answer.text
    assert browser.submit(f"{PREVIEWS}/make", **{**FIELDS, **fields}).status_code == 400
    assert not api.names("lanes")


def test_a_lane_is_kept_longer_and_ended(browser, api):
    browser.submit(f"{PREVIEWS}/make", **FIELDS)
    assert browser.submit(f"{PREVIEWS}/keep", lane="pr-42", hours="5").status_code == 400
    seen = mark(browser)
    assert browser.submit(f"{PREVIEWS}/keep", lane="pr-42", hours="24", mark=seen).status_code == 303
    assert "graylane.dev/keep-until" in api.get("lanes", "pr-42")["metadata"]["annotations"]
    text = browser.get(f"{PREVIEWS}/ending", params={"lane": "pr-42"}).text
    assert browser.submit(f"{PREVIEWS}/end", lane="pr-42", mark="another").status_code == 404
    assert browser.submit(f"{PREVIEWS}/end", **hidden(text)).status_code == 303
    assert api.get("lanes", "pr-42") is None
    assert browser.get(f"{PREVIEWS}/ending", params={"lane": "pr-42"}).status_code == 404


def test_two_people_prolong_a_lane_and_the_second_is_told(browser, api):
    browser.submit(f"{PREVIEWS}/make", **FIELDS)
    seen = mark(browser)
    assert browser.submit(f"{PREVIEWS}/keep", lane="pr-42", hours="24", mark=seen).status_code == 303
    one = api.get("lanes", "pr-42")
    api.put({**one, "status": {"expires": one["metadata"]["annotations"]["graylane.dev/keep-until"]}})
    answer = browser.submit(f"{PREVIEWS}/keep", lane="pr-42", hours="24", mark=seen)
    assert answer.status_code == 409
    assert "was changed since you looked at it" in answer.text
    assert browser.submit(f"{PREVIEWS}/keep", lane="pr-42", hours="1", mark=mark(browser)).status_code == 303


def test_the_second_is_told_also_before_a_controller_has_seen_the_first(browser, api):
    browser.submit(f"{PREVIEWS}/make", **FIELDS)
    api.put({**api.get("lanes", "pr-42"), "status": {"expires": "2050-01-01T10:00:00Z"}})
    seen = mark(browser)
    assert browser.submit(f"{PREVIEWS}/keep", lane="pr-42", hours="24", mark=seen).status_code == 303
    assert browser.submit(f"{PREVIEWS}/keep", lane="pr-42", hours="24", mark=seen).status_code == 409
    assert browser.submit(f"{PREVIEWS}/keep", lane="pr-42", hours="24", mark=mark(browser)).status_code == 303
    kept = api.get("lanes", "pr-42")["metadata"]["annotations"]["graylane.dev/keep-until"]
    assert kept == "2050-01-03T10:00:00Z"


def test_of_two_at_once_one_is_told(browser, api):
    browser.submit(f"{PREVIEWS}/make", **FIELDS)
    seen = mark(browser)

    def another_is_first(method, path):
        if method == "PATCH":
            api.put(api.get("lanes", "pr-42"))

    api.before.append(another_is_first)
    answer = browser.submit(f"{PREVIEWS}/keep", lane="pr-42", hours="24", mark=seen)
    assert answer.status_code == 409
    assert "was changed since you looked at it" in answer.text


@pytest.mark.parametrize("manager", ["kustomize-controller", "argocd-controller"])
def test_a_lane_in_git_is_ended_there(browser, api, manager):
    browser.submit(f"{PREVIEWS}/make", **FIELDS)
    one = api.get("lanes", "pr-42")
    api.put({**one, "metadata": {**one["metadata"], "managedFields": owned(manager)}})
    for answer in (
        browser.get(f"{PREVIEWS}/ending", params={"lane": "pr-42"}),
        browser.submit(f"{PREVIEWS}/end", lane="pr-42", mark=one["metadata"]["uid"]),
    ):
        assert answer.status_code == 409
        assert "remove it there" in answer.text
    assert api.get("lanes", "pr-42")


def test_a_group_without_an_object_has_none_and_says_why(browser, api):
    api.objects.pop(("lanegroups", "demo", "pets"))
    answer = browser.get(f"{PREVIEWS}/preview", params=FIELDS)
    assert answer.status_code == 404
    assert "controller" in answer.text
    assert "No preview lane" in browser.get(PREVIEWS).text
