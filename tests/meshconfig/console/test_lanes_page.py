"""Lanes × services: what the table shows, search and pages, drift, and its live part."""

import asyncio
import json
from contextlib import ExitStack
from datetime import UTC, datetime
from threading import Event

import pytest
from console_world import apply
from fake_controller import owned
from starlette.requests import Request

from meshconfig.cluster.status import How, Lane, PodCount, ServiceState, Share, VersionState
from meshconfig.console import live
from meshconfig.console.matrix import Choice, matrix
from meshconfig.console.refs import GroupRef
from meshconfig.console.sources.snapshots import Snapshots
from meshconfig.console.sources.source import GroupView
from meshconfig.console.words import NAMES, words
from meshconfig.errors import ClusterError

LANES = "/g/demo/pets/lanes"


@pytest.fixture
def browser(browser):
    apply()
    return browser


def many(count, lanes):
    """A group of so many services and lanes; only the first service has a version of its own for them."""
    prod = (Share("v1", 100.0),)

    def service(number):
        found = [Lane("prod", How.OWN, prod), Lane(None, How.OWN, prod)]
        for lane in names[1:]:
            own = Lane(lane, How.OWN, (Share("v2", 100.0),))
            found.append(own if number == 0 else Lane(lane, How.FALLBACK, prod))
        return ServiceState(f"s{number:03}", f"s{number:03}", (VersionState("v1", "w", PodCount(1, 1)),), tuple(found))

    names = ("prod", *(f"lane{number}" for number in range(1, lanes)))
    services = [service(number) for number in range(count)]
    return GroupView(GroupRef("demo", "many"), names, "prod", services, (), None, (), (), datetime.now(UTC))


def shown(browser, path=LANES, **query):
    """The page, once the group has been read."""
    for _ in range(100):
        text = browser.get(path, params=query).text
        if 'aria-busy="true"' not in text:
            return text
    raise AssertionError(text)


def cells(text, service):
    """The cells of a service's row, as text."""
    row = text.partition(f">{service}</th>")[2].partition("</tr>")[0]
    return [" ".join(part.partition("</td>")[0].split()) for part in row.split("<td")[1:]]


def test_a_row_has_pods_shares_and_each_lanes_version(browser):
    text = shown(browser)
    pods, untagged, prod, gray = cells(text, "cat")
    assert "v1 1/1" in pods
    assert "v2 1/1" in pods
    assert untagged.endswith("v1")
    assert prod.endswith("v1")
    assert gray.endswith("v2")
    assert "fallback" in cells(text, "mouse")[3]
    assert "succeeded" in text
    assert "tester" in text


def test_what_others_changed_is_shown_with_who_did(browser, api):
    route = api.get("virtualservices", "cat-svc")
    route["spec"]["http"][0]["timeout"] = "3s"
    fields = owned("kubectl-edit", ("spec",))
    fields[0]["fieldsV1"] = {"f:spec": {"f:http": {}}}
    route["metadata"]["managedFields"] = fields
    text = shown(browser)
    assert "VirtualService demo/cat-svc" in text
    assert "kubectl-edit" in text


def test_a_version_with_too_few_pods_is_a_problem(browser, api):
    api.get("deployments", "cat-v2")["status"]["readyReplicas"] = 0
    text = shown(browser)
    assert "cat v2: 0 of 1 Pods ready" in text
    assert '<span class="bad">v2 0/1' in text


def test_long_tables_come_in_pages_by_the_server():
    view = many(1000, 50)
    first, last, beyond = (matrix(view, Choice(page=number)) for number in (1, 20, 99))
    assert (len(first.rows), first.pages, len(first.lanes), first.lane_pages) == (50, 20, 8, 7)
    assert last.rows == beyond.rows != first.rows
    assert matrix(view, Choice(lanes=7)).lanes == ["lane48", "lane49"]
    assert [one.service.name for one in matrix(view, Choice(service="S042")).rows] == ["s042"]
    assert matrix(view, Choice(service="s04")).services == 10
    assert [one.service.name for one in matrix(view, Choice(lane="lane1", own=True)).rows] == ["s000"]
    assert matrix(view, Choice(service="nowhere")).rows == []


@pytest.mark.parametrize(
    "query", [{"page": "x"}, {"page": "-1"}, {"page": "9" * 400}, {"lanes": "²"}, {"service": "<b>"}]
)
def test_addresses_that_make_no_sense_are_pages_all_the_same(browser, query):
    assert browser.get(LANES, params=query).status_code == 200


def test_a_reading_that_is_not_new_is_made_again():
    seen, number = Snapshots(clock=iter(range(0, 10_000, 5)).__next__), iter(range(100))
    assert [seen.get("a", lambda: next(number), 5) for _ in range(3)] == [0, 1, 2]


def test_a_group_that_there_is_not_is_said(browser):
    answer = browser.get("/g/demo/none/lanes")
    assert answer.status_code == 404
    assert "there is no group demo/none" in answer.text


def test_the_first_page_lists_groups_of_a_namespace(browser):
    assert "/g/demo/pets/lanes" in browser.get("/", params={"namespace": "demo"}).text
    assert "No group here" in browser.get("/", params={"namespace": "empty"}).text


def streamed(look):
    """The events of a stream, each with its kind and its data."""

    async def run():
        async def receive():
            await asyncio.sleep(60)

        request = Request({"type": "http"}, receive)
        return [one async for one in live._events(request, live.Streams(Event()), look, 0)]

    events = [one.removeprefix("event: ").partition("\ndata: ") for one in asyncio.run(run())]
    return [(kind, json.loads(data)) for kind, _, data in events]


def test_the_stream_sends_the_table_and_then_only_what_changes():
    parts = iter([{"a": "1"}, {"a": "1"}, {"a": "2"}, None])
    assert streamed(lambda: next(parts)) == [("parts", {"a": "1"}), ("parts", {"a": "2"}), ("end", {})]


def test_the_next_good_look_takes_an_error_away_also_where_nothing_has_changed():
    looks = iter([{"a": "1"}, ClusterError("away"), {"a": "1"}, {"a": "1"}, None])

    def look():
        if isinstance(one := next(looks), Exception):
            raise one
        return one

    assert streamed(look) == [("parts", {"a": "1"}), ("trouble", {"message": "away"}), ("parts", {}), ("end", {})]


def test_a_person_follows_some_pages_at_once_and_keeps_nobody_else_from_theirs():
    streams = live.Streams(Event())
    with ExitStack() as open_pages:
        places = [open_pages.enter_context(streams.place("ann")) for _ in range(live.EACH + 1)]
        assert places == [True] * live.EACH + [False]
        with streams.place("bob") as free:
            assert free
        owners = range(live.MOST - live.EACH)
        assert all(open_pages.enter_context(streams.place(owner)) for owner in owners)
        with streams.place("carl") as free:
            assert not free
    with streams.place("ann") as free:
        assert free


def test_a_stream_that_may_not_be_followed_is_an_error_and_the_head_of_one_ends(browser, monkeypatch):
    assert browser.head(f"{LANES}/events").headers["content-type"].startswith("text/event-stream")
    monkeypatch.setattr(live, "EACH", 0)
    assert browser.get(f"{LANES}/events").status_code == 503


@pytest.mark.parametrize("word", ["closed", "lost"])
@pytest.mark.parametrize("language", NAMES)
def test_a_page_has_what_its_script_says_when_the_stream_has_ended(browser, language, word):
    said = words(language)(f"base.{word}")
    assert f'data-{word}="{said}"' in browser.get(LANES, headers={"Accept-Language": language}).text
    assert f"dataset.{word}" in browser.get("/static/live.js").text
