"""A viewer's token at a console behind a proxy: every page is read, nothing is changed, and the viewer is told so."""

import re

import pytest
from console_pets import forbid, put_pets, words
from console_world import api_server, apply, by_token, ended, put_demo, put_object
from rollout_objects import of_the_spec, rollout_object
from rollout_world import Run

from meshconfig.console.registry import pages
from meshconfig.rollout.state import Stage

GROUP = "/g/demo/pets"
WEIGHTS = {"act": "weights", "service": "mouse", "weight.v1": "70", "weight.v2": "30"}
LANE = {"lane": "pr-42", "ttl": "4h", "versions": "cat v1 cat:pr-42"}
SPEC = {"group": "pets", "ttl": "4h", "versions": {"cat": {"from": "v1"}}}
PREVIEW = {
    "apiVersion": "graylane.dev/v1",
    "kind": "Lane",
    "metadata": {"name": "pr-1", "namespace": "demo"},
}
# What each form of the console sends; a test sees that none is left out.
FORMS = {
    "/versions/change": WEIGHTS,
    "/changes/{change}/stop": {},
    "/previews/make": LANE,
    "/previews/keep": {"lane": "pr-1", "hours": "4"},
    "/previews/end": {"lane": "pr-1"},
    "/rollouts/{name}": {"decision": "approve", "note": "x"},
}
# The page that each leads from, where it has a mark of what the person has seen.
MARKED = {
    "/versions/change": ("/versions/preview", WEIGHTS),
    "/previews/end": ("/previews/ending", {"lane": "pr-1"}),
    "/previews/keep": ("/previews", {}),
}
HARMLESS = {"/login", "/logout", "/g/{namespace}/{group}/ask"}  # these write nothing, whoever sends them


def only_reads(method, path):
    return method not in ("GET", "HEAD") and "selfsubject" not in path


@pytest.fixture
def api(tmp_path, monkeypatch):
    with api_server() as one:
        put_demo(one)
        monkeypatch.setenv("KUBECONFIG", str(one.kubeconfig(tmp_path)))
        apply()
        one.put({**PREVIEW, "spec": SPEC})
        one.before.append(forbid(only_reads))
        yield one


@pytest.fixture
def browser(api):
    return by_token(api, Authorization="Bearer viewer")


def mark(browser, page, **fields):
    found = re.search(r'name="mark" value="([^"]*)"', browser.get(page, params=fields).text)
    return found[1] if found else ""


def test_no_form_is_left_out():
    posts = {route.path for one in pages() for route in one.routes if "POST" in route.methods}
    assert posts == HARMLESS | {f"/g/{{namespace}}/{{group}}{path}" for path in FORMS}


@pytest.mark.slow
def test_a_change_of_the_mesh_is_refused_with_the_missing_right(browser, api):
    before = dict(api.objects)
    fields = {**WEIGHTS, "mark": mark(browser, f"{GROUP}/versions/preview", **WEIGHTS)}
    where = browser.form(f"{GROUP}/versions/change", fields).headers["location"]
    said = words(ended(browser, where))
    assert "Not completed" in said
    assert 'User "tester" cannot' in said
    assert api.objects == before
    assert browser.submit(f"{where}/stop").status_code == 303  # of an own change, which has ended


@pytest.mark.parametrize("path", ["/versions/change", "/previews/make", "/previews/keep", "/previews/end"])
def test_no_object_is_changed_and_the_page_says_what_is_missing(browser, api, path):
    put_object(api)
    before = dict(api.objects)
    seen, fields = MARKED.get(path, ("", {}))
    given = {"mark": mark(browser, f"{GROUP}{seen}", **fields)} if seen else {}
    answer = browser.form(f"{GROUP}{path}", {**FORMS[path], **given})
    if answer.status_code == 303:
        said = words(ended(browser, answer.headers["location"]))
        assert "Not completed" in said
    else:
        assert answer.status_code == 403
        said = words(answer.text)
        assert "Your account may not do this" in said
    assert 'User "tester" cannot' in said
    assert api.objects == before


def test_no_decision_about_a_rollout_is_taken(api):
    put_pets(api)
    api.put(rollout_object(of_the_spec(Run().until(Stage.APPROVAL).state.to_json())))
    browser, before = by_token(api, Authorization="Bearer viewer"), dict(api.objects)
    one = f"{GROUP}/rollouts/cat-v2"
    for decision in ("approve", "abort", "rollback"):
        answer = browser.submit(one, decision=decision, mark=mark(browser, one))
        assert answer.status_code == 403
        assert "Your account may not do this" in words(answer.text)
    assert api.objects == before
