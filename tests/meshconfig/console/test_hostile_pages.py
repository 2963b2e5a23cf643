"""Whatever text comes from a cluster is rendered as text: no markup, and no character that reorders or hides it."""

import html
import json
import re
import time
from html.parser import HTMLParser

import pytest
from console_pets import CALL, put_pets
from console_world import GROUP, api_server, apply, by_kubeconfig, put_demo, put_object
from fake_api import RefusedError
from hostile_text import JOINER, hostile
from hypothesis import given
from hypothesis import strategies as st
from rollout_objects import of_the_spec, rollout_object
from rollout_world import Run

from meshconfig.console import view
from meshconfig.console.jobs import Job, JobStep
from meshconfig.console.observed import FromLogs
from meshconfig.console.proposal import PlannedStep, Proposal
from meshconfig.console.refs import GroupRef
from meshconfig.console.words import words
from meshconfig.otlp import Intake, LogRecord
from meshconfig.rollout.state import Stage

MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{number}",
    "</textarea></title><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "&lt;b&gt;",
)
texts = st.sampled_from(MARKUP) | hostile | st.text(max_size=12)
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|" + JOINER
)
TAGS = frozenset(
    "html head meta title link script body a header p span nav form input button main div footer strong ul li h1 h2 ol"
    " small br details summary pre code label noscript time table thead tbody tr th td svg rect select option".split()
)

MORE_TAGS = frozenset("ol section dl dt dd textarea datalist path circle caption".split())


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.names, self.words = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.words.append(data)


def rendered(template, **values):
    context = {
        "t": words("en"),
        "theme": "",
        "languages": {},
        "csrf": "c",
        "once": "o",
        "source": None,
        "person": "",
        "path": "/",
        "here": "/",
        "ref": None,
        "nav": (),
        "version": "1",
        "url": view.at,
        **values,
    }
    return view.ENVIRONMENT.get_template(template).render(context)


def harmless(text, plain):
    """The page has the tags and attributes that it has with a plain word, and shows nothing invisible."""
    page, usual = Page(text), Page(plain)
    assert page.tags == usual.tags
    assert page.names == usual.names
    assert not any(name.startswith("on") for name in page.names)
    assert not INVISIBLE.search(html.unescape(text).replace("\n", ""))


def proposal(one):
    step = PlannedStep(one, one, 1, 1, True, [one], True)
    diff = [f"+{one}", f"-{one}", f" {one}"]
    return Proposal(GroupRef(one, one), one, diff, [one], "m", [step], [one], [one], unplanned=one, resources=[one])


@given(texts)
def test_a_preview_of_hostile_words(one):
    def page(text):
        found = proposal(text)
        return rendered("preview.html", proposal=found, fields={text: text}, noted=text, ref=GroupRef("demo", "pets"))

    # An empty text is not shown at all.
    harmless(page(one or "word"), page("word"))


@given(texts)
def test_a_change_of_hostile_words(one):
    def page(text):
        job = Job("n", GroupRef("demo", "pets"), text, text, text, True, steps=[JobStep(text, detail=text)])
        job.notes, job.lines = [text], [text]
        return rendered("job.html", job=job, ref=job.ref)

    harmless(page(one or "word"), page("word"))


@given(texts)
def test_an_error_of_hostile_words(one):
    pages = (rendered("error.html", name="refused", lines=[text], here=text) for text in (one, "word"))
    harmless(*pages)


@pytest.mark.parametrize("one", [*MARKUP, "\u202egnp.exe", "\x1b[2J", "a\u2028b"])
def test_what_an_api_server_says_is_text(tmp_path, monkeypatch, one):
    with api_server() as api:
        put_demo(api)
        with by_kubeconfig(api, tmp_path, monkeypatch) as browser:

            def say(method, path):
                raise RefusedError(403, one, one)

            api.before.append(say)
            text = browser.get("/").text
    page = Page(text)
    assert set(page.tags) <= TAGS
    assert page.tags.count("script") == 1
    assert not INVISIBLE.search(text)


@pytest.mark.parametrize("one", MARKUP[:3])
def test_hostile_words_in_stored_resources_are_text(tmp_path, monkeypatch, one):
    with api_server() as api:
        put_demo(api)
        with by_kubeconfig(api, tmp_path, monkeypatch) as browser:
            apply()
            for (plural, _, name), found in list(api.objects.items()):
                if plural == "configmaps" and "-r1" in name:
                    found["data"] |= {"who": one, "host": one, "action": one}
                if plural == "virtualservices":
                    found["spec"]["http"][0]["name"] = one
            pages = [browser.get(f"/g/demo/pets/{path}").text for path in ("lanes", "versions", "history")]
    for text in pages:
        assert set(Page(text).tags) <= TAGS
        assert one not in text
        assert Page(text).tags.count("script") == 1


def checked(text, one):
    """A page that shows the words, and has no tag, script or invisible character of them."""
    page = Page(text)
    assert set(page.tags) <= TAGS | MORE_TAGS
    assert page.tags.count("script") == 1
    assert not any(name.startswith("on") for name in page.names)
    assert not INVISIBLE.search(html.unescape(text).replace("\n", ""))
    if one.isprintable():
        assert one in html.unescape(text)


HOSTILE = pytest.mark.parametrize("one", [*MARKUP[:3], "a\u202egnp.exe"])


@HOSTILE
def test_hostile_words_of_preview_lanes_are_text(browser, api, one):
    put_object(api)
    status = {"phase": one, "link": one, "conditions": [{"type": "Ready", "status": "False", "message": one}]}
    status["versions"] = [{"service": one, "labels": {one: one}}]
    spec = {"group": "pets", "ttl": "4h", "versions": {"cat": {"from": "v1"}}}
    lane = {"apiVersion": "graylane.dev/v1", "kind": "Lane", "metadata": {"name": "pr-1", "namespace": "demo"}}
    api.put({**lane, "spec": spec, "status": status})
    for page in ("previews", "previews/ending?lane=pr-1"):
        checked(browser.get(f"/g/demo/pets/{page}").text, one)


@HOSTILE
def test_hostile_words_of_a_rollout_are_text(browser, api, one):
    put_object(api)
    state = json.loads(Run().until(Stage.APPROVAL).state.to_json())
    state["log"][-1] |= {"who": one, "why": one}
    state["why"] = one
    api.put(rollout_object(of_the_spec(json.dumps(state))))
    checked(browser.get("/g/demo/pets/rollouts/cat-v2").text, one)


@HOSTILE
def test_hostile_names_of_groups_are_text(browser, api, one):
    put_object(api, GROUP, name=one)
    checked(browser.get("/?namespace=demo").text, one)


@HOSTILE
def test_hostile_names_of_routes_and_what_was_asked_are_text(browser, api, one):
    put_object(api)
    route = {"name": one, "match": [{"uri": {"exact": "/other"}}], "route": [{"destination": {"host": "cat-svc"}}]}
    spec = {"hosts": ["cat.example.com"], "gateways": ["other"], "http": [route]}
    metadata = {"name": "other", "namespace": "demo"}
    api.put({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec})
    asked = {"host": "cat.example.com", "path": "/x", "headers": f"x-one: {one}"}
    checked(browser.get("/g/demo/pets/ask", params=asked).text, one)


@HOSTILE
def test_hostile_words_of_access_logs_are_text(api, tmp_path, monkeypatch, one):
    put_pets(api)
    observer = FromLogs(Intake())
    with by_kubeconfig(api, tmp_path, monkeypatch, observer=observer) as browser:
        browser.get("/g/demo/pets/carry")
        lost = {**CALL, "tag": one, "path": f"/{one}", "code": one, "request_id": "r1"}
        came = {**CALL, "cluster": "inbound|9001||", "request_id": "r1"}
        observer.add([LogRecord(time.time(), came), LogRecord(time.time(), lost)])
        text = browser.get("/g/demo/pets/carry").text
    assert "Lost by cat/v2" in text
    checked(text, one)
