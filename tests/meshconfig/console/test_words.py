"""The catalogues: one file a language, and no string missing in either."""

import json
import re
import string
from importlib.resources import files
from pathlib import Path

import pytest

from meshconfig.console import words
from meshconfig.console.registry import pages

ROOT = Path(__file__).parents[3]
CONSOLE = Path(str(files("meshconfig.console")))
ASKED = re.compile(r"""\bt\(\s*["']([a-z_]+\.[a-z_0-9]+)["']\s*[,)]""")


def _fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def _asked():
    sources = [*CONSOLE.glob("templates/*.html"), *CONSOLE.rglob("*.py")]
    return {key for one in sources for key in ASKED.findall(one.read_text("utf-8"))}


@pytest.mark.parametrize("language", [one for one in words.NAMES if one != words.DEFAULT])
def test_every_language_has_the_same_strings_with_the_same_fields(language):
    first, other = words.catalogue(words.DEFAULT), words.catalogue(language)
    assert list(first) == list(other)
    assert {key: _fields(text) for key, text in first.items()} == {key: _fields(text) for key, text in other.items()}
    assert all(text.strip() for text in other.values())


def test_every_string_that_a_page_asks_for_is_there():
    assert _asked() - set(words.catalogue("en")) == set()


def test_every_page_of_the_navigation_has_a_title():
    assert {f"{one.name}.title" for one in pages() if one.order is not None} <= set(words.catalogue("en"))


def test_the_docs_have_a_picture_of_each_page_which_the_tests_take():
    docs, tests = ROOT / "docs", "".join(one.read_text() for one in (ROOT / "tests" / "console").glob("*.py"))
    shown = set(re.findall(r"\(console/(\w+)\.png\)", (docs / "console.md").read_text()))
    named = {one.name for one in pages() if one.name != "entrance"} | {"login"}
    assert named <= shown
    assert shown == {one.stem for one in docs.glob("console/*.png")} == set(re.findall(r'\.picture\("(\w+)"', tests))


def test_there_is_a_name_for_each_file():
    assert {one.stem for one in CONSOLE.glob("catalogues/*.json")} == set(words.NAMES)
    for one in CONSOLE.glob("catalogues/*.json"):
        text = one.read_text("utf-8")
        assert json.dumps(json.loads(text), ensure_ascii=False, indent=2) + "\n" == text


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "fr, en;q=0.3, zh;q=0.7", "zh"),
        ("", "zh;q=0, en", "en"),
        ("", "*;q=x, ;;;", "en"),
        ("en", "zh", "en"),
        ("../../etc", "zh", "zh"),
    ],
)
def test_the_language_is_the_chosen_or_the_browsers(cookie, accepted, language):
    assert words.chosen(cookie, accepted) == language
