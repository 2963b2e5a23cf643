"""The trail: what is taken from an answer, and what a server's own answer shows of it."""

import asyncio
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import Context, attach, detach, get_current

from propagation import ASGIMiddleware, PropagationConfig, WSGIMiddleware, use
from propagation.context import trail_of
from propagation.executors import ThreadPoolExecutor as CarryingPool
from propagation.trail import HEADER, MAX_HOPS, Trail, hops_in, with_own

TRAIL = PropagationConfig(trail=True)
HOSTILE = [
    "",
    "/",
    "mouse",
    "mouse/",
    "/prod",
    "mouse/prod/x",
    "mouse/prod\r\nset-cookie: a=1",
    "mouse/prod\x00",
    "mouse/prod\n",
    "mou se/prod",
    "-mouse/prod",
    "mouse/.prod",
    "maüs/prod",
    "mouse/prod;a=b",
    "<script>/x",
    f"{'m' * 64}/prod",
    f"mouse/{'p' * 64}",
]


def answered(*hops):
    """A call of the work at hand ends: its answer has these lines."""
    trail_of(get_current()).take(object(), hops)


class TestAnswers:
    @pytest.mark.parametrize("value", HOSTILE)
    def test_what_is_no_service_and_version_is_left_out(self, value):
        assert hops_in([value, "cat/gray"]) == ["cat/gray"]

    def test_lines_that_were_joined_are_told_apart(self):
        assert hops_in(["mouse/prod, dog/v1.2_x,\tcat/gray", "Ant/0"]) == [
            "mouse/prod",
            "dog/v1.2_x",
            "cat/gray",
            "Ant/0",
        ]

    def test_a_name_may_have_63_characters(self):
        longest = f"{'m' * 63}/{'p' * 63}"
        assert hops_in([", ".join([longest] * MAX_HOPS)]) == [longest] * MAX_HOPS

    @pytest.mark.parametrize("values", [["m/p"] * 10_000, ["m/p," * 10_000], ["," * 1_000_000], ["x" * 1_000_000] * 9])
    def test_an_answer_of_any_size_adds_64_hops_at_most(self, values):
        trail = Trail()
        trail.take(object(), values)
        trail.take(object(), values)
        assert trail.hops() in ([], ["m/p"] * MAX_HOPS)

    @pytest.mark.parametrize("value", ["," * 1_000_000, "m/p " * 1_000_000, "x" * 4_000_000])
    def test_a_header_of_any_length_takes_little_memory(self, value):
        tracemalloc.start()
        hops_in([value] * 2)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1_000_000

    @pytest.mark.fuzz
    @given(st.lists(st.text() | st.from_regex(r"[a-z]+/[a-z]+", fullmatch=True), max_size=80))
    def test_fuzz_whatever_comes_in_nothing_that_is_no_hop_gets_out(self, values):
        trail = Trail()
        for value in values:
            trail.take(object(), [value])
        hops = trail.hops()
        assert len(hops) <= MAX_HOPS
        assert all(hop.isascii() and hop.isprintable() and hop.count("/") == 1 and "," not in hop for hop in hops)

    def test_the_same_answer_counts_once(self):
        trail, answer = Trail(), object()
        trail.take(answer, ["mouse/prod"])
        trail.take(answer, ["mouse/prod"])
        trail.take(object(), ["mouse/prod"])
        assert trail.hops() == ["mouse/prod", "mouse/prod"]

    def test_a_call_under_way_is_asked_when_the_answer_starts(self):
        trail, ended = Trail(), []
        trail.take_later(lambda: ended or None)
        assert trail.hops() == []
        ended.append((object(), ["mouse/prod"]))
        assert trail.hops() == trail.hops() == ["mouse/prod"]

    def test_what_the_app_itself_passed_on_counts_once(self):
        assert with_own(["ant/v1", "mouse/prod"], ["mouse/prod", "cat/gray", "evil\n"]) == [
            "ant/v1",
            "mouse/prod",
            "cat/gray",
        ]
        assert with_own(["m/p"] * MAX_HOPS, ["cat/gray"]) == ["m/p"] * MAX_HOPS


def ask_asgi(work, *headers, config=TRAIL, own=(), middleware=ASGIMiddleware):
    """The lines of the trail in the answer of an app that does `work`."""
    sent = []

    async def app(scope, receive, send):
        found = work()
        if found is not None:
            await found
        await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Graylane-Trail", b) for b in own]})
        answered("late/v1") if trail_of(get_current()) else None
        await send({"type": "http.response.body", "body": b""})

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers]}
    asyncio.run(run(middleware(app, config), scope, send))
    return [value.decode() for name, value in sent[0]["headers"] if name.lower() == HEADER.encode()]


async def run(app, scope, send):
    await app(scope, None, send)


def ask_wsgi(work, *headers, config=TRAIL, own=(), middleware=WSGIMiddleware):
    started = []

    def app(environ, start_response):
        found = work()
        if found is not None:
            asyncio.run(found)
        start_response("200 OK", [("X-Graylane-Trail", value.decode()) for value in own])
        answered("late/v1") if trail_of(get_current()) else None
        return [b""]

    def start_response(status, headers, *exc_info):
        started.extend(headers)

    middleware(app, config)({f"HTTP_{name.upper()}": value for name, value in headers}, start_response)
    return [value for name, value in started if name.lower() == HEADER]


GRAY = ("env", "gray")


@pytest.mark.parametrize("ask", [ask_asgi, ask_wsgi])
class TestServers:
    def test_a_tagged_request_is_answered_with_what_its_calls_were_answered_with(self, ask):
        assert ask(lambda: answered("ant/v1", "mouse/prod"), GRAY) == ["ant/v1", "mouse/prod"]

    def test_the_tag_may_come_as_a_member_of_baggage(self, ask):
        assert ask(lambda: answered("mouse/prod"), ("baggage", "env=prod")) == ["mouse/prod"]

    @pytest.mark.parametrize("headers", [(), (("baggage", "user=alice"),), (("env", "not valid"),)])
    def test_an_untagged_request_is_answered_with_none(self, ask, headers):
        def work():
            if trail := trail_of(get_current()):
                trail.take(object(), ["mouse/prod"])

        assert ask(work, *headers) == []

    @pytest.mark.parametrize("config", [None, PropagationConfig(trail=True, trust_inbound=False)])
    def test_nobody_collects_where_it_is_off_or_the_tag_is_dropped(self, ask, config):
        seen = []
        assert ask(lambda: seen.append(trail_of(get_current())), GRAY, config=config) == []
        assert config or seen == [None]

    def test_the_environment_turns_it_on(self, ask, environment):
        environment(trail="true")
        assert ask(lambda: answered("mouse/prod"), GRAY, config=None) == ["mouse/prod"]

    def test_it_goes_with_an_echo(self, ask):
        config = PropagationConfig(trail=True, echo=True)
        assert ask(lambda: answered("mouse/prod"), GRAY, config=config) == ["mouse/prod"]

    def test_what_the_app_passes_on_of_a_callees_answer_is_there_once(self, ask):
        assert ask(lambda: answered("mouse/prod"), GRAY, own=[b"mouse/prod"]) == ["mouse/prod"]
        assert ask(lambda: None, GRAY, own=[b"cat/gray"]) == ["cat/gray"]

    def test_all_tasks_of_a_request_get_in(self, ask):
        async def call(number):
            await asyncio.sleep(0)
            answered(f"mouse/v{number}")

        async def work():
            await asyncio.gather(*map(call, range(20)))

        assert sorted(ask(work, GRAY)) == sorted(f"mouse/v{number}" for number in range(20))

    def test_all_threads_of_a_request_get_in(self, ask):
        def work():
            with CarryingPool(4) as pool:
                list(pool.map(lambda number: answered(f"mouse/v{number}"), range(20)))

        assert sorted(ask(work, GRAY)) == sorted(f"mouse/v{number}" for number in range(20))

    def test_blocks_of_other_fields_are_still_of_the_request(self, ask):
        def work():
            with use(env="prod", user="alice"):
                answered("mouse/prod")

        assert ask(work, GRAY) == ["mouse/prod"]

    def test_an_empty_context_of_opentelemetry_in_between_changes_nothing(self, ask):
        def work():
            token = attach(Context())
            answered("mouse/prod")
            detach(token)

        assert ask(work, GRAY) == ["mouse/prod"]

    @pytest.mark.parametrize(
        "inner", [TRAIL, *(PropagationConfig(trail=on, local_fields=("a",)) for on in (True, False))]
    )
    def test_a_middleware_inside_another_shows_it_once(self, ask, inner):
        kind: Any = ASGIMiddleware if ask is ask_asgi else WSGIMiddleware

        def twice(app, config):
            return kind(kind(app, inner), config)

        assert ask(lambda: answered("mouse/prod"), GRAY, middleware=twice) == ["mouse/prod"]

    def test_requests_share_nothing(self, ask):
        def one(number):
            return ask(lambda: answered(f"mouse/v{number}"), GRAY)

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(one, range(40))) == [[f"mouse/v{number}"] for number in range(40)]
        assert trail_of(get_current()) is None


def test_its_header_cannot_be_a_fields():
    with pytest.raises(ValueError, match="x-graylane-trail"):
        PropagationConfig(key_names={"env": ("X-Graylane-Trail",)})


def test_a_socket_has_what_is_known_when_it_is_accepted():
    sent = []

    async def app(scope, receive, send):
        answered("mouse/prod")
        await send({"type": "websocket.accept"})

    async def send(message):
        sent.append(message)

    asyncio.run(run(ASGIMiddleware(app, TRAIL), {"type": "websocket", "headers": [(b"env", b"gray")]}, send))
    assert sent[0]["headers"] == [(HEADER.encode(), b"mouse/prod")]


def test_a_body_that_is_made_in_steps_starts_with_what_is_known():
    started = []

    def app(environ, start_response):
        answered("ant/v1")
        start_response("200 OK", [])
        answered("late/v1")
        yield b""

    body = WSGIMiddleware(app, TRAIL)({"HTTP_ENV": "gray"}, lambda status, headers: started.extend(headers))
    assert started == []
    list(body)
    assert started == [(HEADER, "ant/v1")]
