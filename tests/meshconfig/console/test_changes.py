"""Versions and history: the preview, the change step by step, and what stops it."""

import re
from html import unescape

import pytest
from console_pets import hidden
from console_world import GROUP, apply, ended, put_object
from fake_api import RefusedError
from fake_controller import carried_out, controller, owned

PREVIEW, CHANGE = "/g/demo/pets/versions/preview", "/g/demo/pets/versions/change"
WEIGHTS = {"act": "weights", "service": "mouse", "weight.v1": "70", "weight.v2": "30"}


@pytest.fixture
def browser(browser):
    apply()
    return browser


def previewed(browser, fields):
    """The page of a preview and the mark in it."""
    answer = browser.get(PREVIEW, params=fields)
    found = re.search(r'name="mark" value="([^"]*)"', answer.text)
    return answer.text, found[1] if found else ""


def carried(browser, fields, **more):
    """The page of a change at its end."""
    _, mark = previewed(browser, fields)
    answer = browser.submit(CHANGE, **{**fields, "mark": mark, **more})
    assert answer.status_code == 303, answer.text
    return ended(browser, answer.headers["location"])


def weights(api, name="mouse-svc"):
    route = api.get("virtualservices", name)["spec"]["http"][-1]["route"]
    return {one["destination"]["subset"]: one.get("weight", 100) for one in route}


def test_a_preview_has_diff_and_plan_and_writes_nothing(browser, api):
    before = dict(api.objects)
    text, mark = previewed(browser, WEIGHTS)
    assert '<span class="added">+' in text
    assert "v2: 30" in text
    assert "mouse-svc" in text
    assert mark
    assert api.objects == before


@pytest.mark.parametrize(
    ("fields", "holds"),
    [
        (WEIGHTS, lambda api: weights(api) == {"v1": 70, "v2": 30}),
        ({"act": "takeover", "service": "mouse", "version": "v2"}, lambda api: weights(api) == {"v2": 100}),
        (
            {"act": "lane-remove", "lane": "gray"},
            lambda api: "'exact': 'gray'" not in str(api.get("virtualservices", "cat-svc")),
        ),
        pytest.param(
            {"act": "lane-add", "lane": "blue", "versions": "mouse=v2"},
            lambda api: "blue" in str(api.get("virtualservices", "mouse-svc")),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"act": "retire", "service": "mouse", "version": "v2"},
            lambda api: len(api.get("destinationrules", "mouse-svc")["spec"]["subsets"]) == 1,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"act": "add", "service": "mouse", "version": "v3", "from": "v2", "weight": ""},
            lambda api: "'v3'" in str(api.get("destinationrules", "mouse-svc")),
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda one: one["act"] if isinstance(one, dict) else "",
)
def test_each_act_is_carried_out_as_its_command_does(browser, api, fields, holds):
    assert not holds(api)
    text = carried(browser, fields, note="as Ann asked")
    assert "Done" in text, text
    assert holds(api)
    history = browser.get("/g/demo/pets/history").text
    assert "as Ann asked" in history
    assert "tester" in history


def test_two_people_change_the_same_and_the_second_is_told(browser, api):
    _, mark = previewed(browser, WEIGHTS)
    carried(browser, {**WEIGHTS, "weight.v1": "50", "weight.v2": "50"})
    answer = browser.submit(CHANGE, **WEIGHTS, mark=mark)
    text = ended(browser, answer.headers["location"])
    assert "was changed since you looked at it" in text
    assert "revision is 2 (version weights mouse v1=50 v2=50) by tester" in text
    assert weights(api) == {"v1": 50, "v2": 50}


def test_a_change_that_is_sent_twice_leads_to_the_first_one_both_times(browser, api):
    form = hidden(browser.get(PREVIEW, params=WEIGHTS).text)
    first, second = (browser.form(CHANGE, form).headers["location"] for _ in range(2))
    assert first == second
    assert "Done" in ended(browser, first)
    assert len(browser.jobs()) == 1


def test_an_object_that_is_changed_by_two_clicks_is_not_said_to_be_somebody_elses(browser, api):
    put_object(api)
    form = hidden(browser.get(PREVIEW, params=WEIGHTS).text)
    with controller(api, carried_out(("routes of mouse",))):
        first = browser.form(CHANGE, form)
        ended(browser, first.headers["location"])
        assert browser.form(CHANGE, form).headers["location"] == first.headers["location"]


def test_the_page_of_a_refused_change_leads_to_its_preview_and_has_the_groups_pages(browser, api):
    put_object(api)
    _, mark = previewed(browser, WEIGHTS)
    put_object(api, GROUP.replace("mouse-svc, port: 9001", "mouse-svc, port: 9002"))
    text = unescape(browser.submit(CHANGE, **WEIGHTS, mark=mark, note="as Ann asked").text)
    assert 'href="/g/demo/pets/history"' in text
    again = re.search(r'<a href="([^"]*)">Try again', text)[1]
    assert again.startswith(PREVIEW)
    fresh = browser.get(again).text
    assert "v2: 30" in fresh
    assert mark not in fresh


def test_what_may_not_be_read_is_an_error_that_says_what_to_do(browser, api):
    def forbid(method, path):
        raise RefusedError(403, "Forbidden", "nobody may list virtualservices")

    api.before.append(forbid)
    answer = browser.get(PREVIEW, params=WEIGHTS)
    assert answer.status_code == 403
    assert "docs/rbac.md" in answer.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"act": "everything"}, "no change that the console makes"),
        ({"act": "takeover", "service": "mouse"}, "version: is missing"),
        ({**WEIGHTS, "weight.v2": "-1"}, "whole number"),
        ({**WEIGHTS, "weight.v9": "1"}, "v9"),
        ({"act": "takeover", "service": "house", "version": "v2"}, "did you mean mouse"),
        ({"act": "retire", "service": "cat", "version": "v1"}, "in use"),
        ({"act": "lane-add", "lane": "blue", "versions": "mouse"}, "NAME=VALUE"),
        ({"act": "rollback", "to": "99"}, "no revision 99"),
        ({"act": "rollback", "to": "0"}, "graylane rollback --to 0"),
        ({**WEIGHTS, "note": "x" * 201}, "at most 200"),
    ],
)
def test_what_cannot_be_is_one_line_and_writes_nothing(browser, api, fields, said):
    answer = browser.get(PREVIEW, params=fields)
    assert answer.status_code == 400, answer.text
    assert said in answer.text
    assert browser.submit(CHANGE, **fields, mark="x").status_code == 400


def test_a_change_stops_before_its_next_step(browser, api):
    fields = {"act": "add", "service": "mouse", "version": "v3", "from": "v2", "weight": "10"}
    where = []

    def stop(method, path):
        if method == "PATCH" and "destinationrules" in path and "dryRun" not in path:
            for job in browser.jobs():
                job.stopping.set()
            where.append(path)

    _, mark = previewed(browser, fields)
    api.before.append(stop)
    answer = browser.submit(CHANGE, **fields, mark=mark)
    text = ended(browser, answer.headers["location"])
    assert where
    assert "stopped by tester" in text
    assert "'v3'" not in str(api.get("virtualservices", "mouse-svc"))
    assert "failed" in browser.get("/g/demo/pets/history").text


def test_history_shows_what_differs_and_goes_back_with_a_note(browser, api):
    carried(browser, WEIGHTS)
    text = browser.get("/g/demo/pets/history/diff", params={"from": "1", "to": "2"}).text
    assert '<span class="added">+' in text
    assert "v2: 30" in text
    assert browser.get("/g/demo/pets/history/diff", params={"from": "1", "to": "9"}).status_code == 404
    assert "Done" in carried(browser, {"act": "rollback", "to": "1"}, note="alarm 7")
    assert weights(api) == {"v1": 100}
    assert "rollback to 1 (alarm 7)" in browser.get("/g/demo/pets/history").text


def test_of_a_group_with_an_object_the_object_is_written_and_the_controller_followed(browser, api):
    put_object(api)
    with controller(api, carried_out(("subsets of mouse", "routes of mouse"))) as one:
        text = carried(browser, WEIGHTS)
        assert one.error is None
    assert "Done" in text, text
    assert "routes of mouse" in text
    assert api.get("lanegroups", "pets")["spec"]["services"]["mouse"]["weights"] == {"v1": 70, "v2": 30}


def test_an_object_that_somebody_else_has_changed_is_not_overwritten(browser, api):
    put_object(api)
    _, mark = previewed(browser, WEIGHTS)
    put_object(api, GROUP.replace("mouse-svc, port: 9001", "mouse-svc, port: 9002"))
    answer = browser.submit(CHANGE, **WEIGHTS, mark=mark)
    assert answer.status_code == 409
    assert "Somebody else changed the group" in answer.text
    assert "weights" not in api.get("lanegroups", "pets")["spec"]["services"]["mouse"]


def on_second(kind, act):
    """A hook of the API server: somebody acts before the second reading of a kind."""
    seen = []

    def before(method, path):
        if method == "GET" and f"/{kind}" in path and "selfsubject" not in path:
            seen.append(path)
            if len(seen) == 2:
                act()

    return before


def test_a_group_that_changes_while_its_preview_is_made_gets_no_preview(browser, api):
    """Its diff would be of the old spec, and its mark of the new one, by which it could be carried out."""
    put_object(api)
    changed = GROUP.replace("mouse-svc, port: 9001", "mouse-svc, port: 9002")
    api.before.append(on_second("lanegroups", lambda: put_object(api, changed)))
    answer = browser.get(PREVIEW, params=WEIGHTS)
    assert answer.status_code == 409
    assert "Somebody else changed the group" in answer.text
    assert browser.get(PREVIEW, params=WEIGHTS).status_code == 200


def test_the_same_of_a_group_without_an_object(browser, api):
    second = GROUP.replace("mouse-svc, port: 9001", "mouse-svc, port: 9001, weights: {v1: 1, v2: 1}")
    api.before.append(on_second("configmaps", lambda: apply(second)))
    answer = browser.get(PREVIEW, params=WEIGHTS)
    assert answer.status_code == 409
    assert "revision is 2" in answer.text


@pytest.mark.parametrize("manager", ["kustomize-controller", "argocd-controller"])
def test_of_an_object_in_git_the_diff_to_commit_is_shown_and_nothing_written(browser, api, manager):
    put_object(api, managedFields=owned(manager))
    text, mark = previewed(browser, WEIGHTS)
    assert "Commit this diff" in text
    assert "v2: 30" in text
    assert not mark
    answer = browser.submit(CHANGE, **WEIGHTS, mark="x")
    assert answer.status_code == 409
    assert "weights" not in api.get("lanegroups", "pets")["spec"]["services"]["mouse"]


def test_of_fields_that_another_manager_owns_the_diff_is_shown_and_nothing_written(browser, api):
    """As of an object that a CI job applies from Git."""
    put_object(api, managedFields=owned("ci-job"))

    def conflict(method, path):
        if method == "PATCH" and "/lanegroups/" in path:
            cause = ("FieldManagerConflict", 'conflict with "ci-job": .spec.services.mouse.weights')
            raise RefusedError(409, "Conflict", "Apply failed with 1 conflict", [cause])

    api.before.append(conflict)
    text, mark = previewed(browser, WEIGHTS)
    assert "Commit this diff" in text
    assert "v2: 30" in text
    assert "ci-job" in text
    assert not mark
    assert browser.submit(CHANGE, **WEIGHTS, mark="x").status_code == 409


def test_a_change_is_shown_to_whoever_began_it_alone(browser):
    _, mark = previewed(browser, WEIGHTS)
    where = browser.submit(CHANGE, **WEIGHTS, mark=mark).headers["location"]
    ended(browser, where)
    browser.jobs()[0].owner = "somebody else"
    assert browser.get(where).status_code == 404


@pytest.mark.parametrize("can_stop", [True, False])
def test_only_a_change_that_the_console_carries_out_itself_is_stopped(browser, can_stop):
    _, mark = previewed(browser, WEIGHTS)
    where = browser.submit(CHANGE, **WEIGHTS, mark=mark).headers["location"]
    ended(browser, where)
    (job,) = browser.jobs()
    job.can_stop = can_stop
    answer = browser.submit(f"{where}/stop")
    assert (answer.status_code, job.stopping.is_set()) == ((303, True) if can_stop else (409, False))
    assert can_stop or "cannot be stopped here" in answer.text


def test_who_may_only_read_sees_the_preview_of_a_group_with_an_object(browser, api):
    put_object(api)

    def forbid(method, path):
        if method == "PATCH" and "lanegroups" in path:
            raise RefusedError(403, "Forbidden", "viewer cannot patch resource lanegroups")

    api.before.append(forbid)
    text, mark = previewed(browser, WEIGHTS)
    assert "viewer cannot patch" in text
    assert "v2: 30" in text
    assert mark
