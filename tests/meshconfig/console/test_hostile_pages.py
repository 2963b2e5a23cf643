"""Whatever text comes from a cluster is rendered as text: no markup, and no character that reorders or hides it."""

import html
import re
from html.parser import HTMLParser

import pytest
from console_world import api_server, apply, by_kubeconfig, put_demo
from fake_api import RefusedError
from hostile_text import hostile
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.console import view
from meshconfig.console.jobs import Job, JobStep
from meshconfig.console.proposal import PlannedStep, Proposal
from meshconfig.console.refs import GroupRef
from meshconfig.console.words import words

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
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
TAGS = frozenset(
    "html head meta title link script body a header p span nav form input button main div footer strong ul li h1 h2 ol"
    " small br details summary pre code label noscript time table thead tbody tr th td svg rect select option".split()
)


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
