"""The table of libraries says what is so: it is made from the descriptors, and each of its rows is tried out."""

import os
import re
from pathlib import Path

import pytest
from library_table import OTHERS, entries, parse, rows, table
from trails import hops, tagged

from propagation import instrument, uninstrument, use
from propagation.config import default_config
from propagation.probe.libraries import Verdict, try_library
from propagation.probe.recorder import recording
from propagation.registry import REGISTRY, Carried, descriptor, is_installed

PAGE = Path(__file__).parents[2] / "docs" / "propagation-reference.md"
BLOCK = re.compile(r"(?<=<!-- The table is made by `make golden`. -->\n)(.*?)(?=<!-- -->)", re.DOTALL)


@pytest.fixture(autouse=True)
def _apart():
    yield
    uninstrument()


def test_the_table_is_what_the_descriptors_say():
    """`make golden` rewrites it."""
    text = PAGE.read_text()
    (found,) = BLOCK.findall(text)
    made = table(rows(parse(found)))
    if os.environ.get("GRAYLANE_GOLDEN") == "rewrite":
        PAGE.write_text(BLOCK.sub(lambda _: made, text))
        (found,) = BLOCK.findall(PAGE.read_text())
    assert found == made


def test_the_table_has_each_way_of_being_carried():
    (found,) = BLOCK.findall(PAGE.read_text())
    assert {cell for row in parse(found).values() for cell in row[1:3]} == {*(one.value for one in Carried), "–"}


@pytest.mark.parametrize("name", [name for name in entries() if is_installed(name)])
def test_what_instrument_carries_is_not_carried_without(name):
    described = descriptor(name)
    if described.probe is None:
        assert described.sends or described.receives
        return
    with recording() as recorder:
        before = try_library(name, default_config(), recorder)
        instrument(name)
        after = try_library(name, default_config(), recorder)
    expected = {
        Carried.ITSELF: (Verdict.CARRIES, Verdict.CARRIES),
        Carried.INSTRUMENT: (Verdict.NOT, Verdict.CARRIES),
    }
    assert (before, after) == expected[described.sends]


def sent(send, server):
    """The tags that arrive where this sends one request, or that the work has."""
    with use(env="gray"):
        value = send(server.url) if send.__code__.co_argcount else send()
    return [one for seen in server.seen for one in seen.all("env")] if value is None and server.seen else [value]


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_each_other_row_is_so(name, server):
    other = OTHERS[name]
    if other.by is not None and other.by not in REGISTRY:
        pytest.skip(f"{other.by} is not known")
    if other.carried is Carried.INSTRUMENT:
        assert sent(other.send, server) == []
        instrument(other.by)
    if other.plain is not None:
        instrument()
        assert sent(other.plain, server) == []
    server.seen.clear()
    assert sent(other.send, server) == ([None] if other.carried is Carried.NOT else ["gray"])


def by_instrument():
    """Of each client of HTTP that `instrument` covers: the entry that covers it, and what sends a request."""
    for name in filter(is_installed, entries()):
        if probe := descriptor(name).probe:
            yield name, probe
    for other in OTHERS.values():
        if other.by in REGISTRY and is_installed(other.by):
            yield other.by, other.send


@pytest.mark.slow
@pytest.mark.parametrize(("name", "send"), list(by_instrument()))
def test_what_instrument_carries_adds_what_it_is_answered_to_the_trail(name, send, server):
    server.trail = {"*": ["ant/v1", "mouse/prod"]}
    instrument(name)
    with tagged():
        send(server.url)
        assert hops() == ["ant/v1", "mouse/prod"]
