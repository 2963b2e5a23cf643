"""Blocks of `use` and `detached` that do not end where, or in the order in which, they began."""

import asyncio
import gc
import logging
import threading
from contextvars import copy_context
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.sdk.trace import TracerProvider

from propagation import ASGIMiddleware, PropagationConfig, detached, extract, get, inject, use
from propagation.logs import PropagationFilter
from propagation.spans import TagFieldsSpanProcessor


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog):
    yield
    assert caplog.records == []


def test_a_block_may_begin_and_end_in_threads_that_hand_their_context_back():
    async def request():
        with use(env="gray"):
            lane = use(env="prod")
            await sync_to_async(lane.__enter__)()
            inside = get("env")
            await sync_to_async(lane.__exit__)(None, None, None)
            return inside, get("env")

    assert asyncio.run(request()) == ("prod", "gray")


def test_a_block_may_begin_in_a_thread_and_end_outside_of_it():
    async def request():
        lane = use(env="prod")
        await sync_to_async(lane.__enter__)()
        lane.__exit__(None, None, None)
        return get("env")

    assert asyncio.run(request()) is None


def test_a_block_may_begin_in_a_task_and_end_in_another():
    async def main():
        lane = use(env="prod")
        await asyncio.create_task(asyncio.to_thread(lane.__enter__))
        inside = get("env")
        await asyncio.create_task(asyncio.to_thread(lane.__exit__, None, None, None))
        return inside, get("env")

    assert asyncio.run(main()) == (None, None)


def test_django_under_both_kinds_of_server():
    lane = use(env="prod")

    def middleware():
        lane.__enter__()
        try:
            return async_to_sync(view)()
        finally:
            lane.__exit__(None, None, None)

    async def view():
        return get("env")

    async def main():
        return await sync_to_async(middleware)(), get("env")

    assert (middleware(), get("env")) == ("prod", None)
    assert asyncio.run(main()) == ("prod", None)


async def lanes(block, count=3):
    with block:
        for _ in range(count):
            yield get("env")


async def soon():
    """Until what the event loop closes by itself is closed."""
    gc.collect()
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.slow
def test_an_async_generator_that_is_not_read_to_its_end_leaves_nothing_with_its_reader():
    async def main():
        with use(env="prod"):
            async for lane in lanes(use(env="gray")):
                assert lane == "gray"
                break
            await soon()
            assert (get("env"), inject({})) == ("prod", {"env": "prod", "baggage": "env=prod"})
            assert baggage.get_baggage("env") == "prod"
        return get("env")

    assert asyncio.run(main()) is None


@pytest.mark.slow
def test_nor_with_what_its_reader_does_next():
    """A span that starts, a line that is logged, a request that arrives: each looks for itself, and first."""
    shown = PropagationConfig(tag_fields=("env",), correlation_fields=("env",))
    seen = []

    def begin_a_span():
        tracer = TracerProvider()
        tracer.add_span_processor(TagFieldsSpanProcessor(shown))
        span: Any = tracer.get_tracer("cat").start_span("work")
        seen.append(span.attributes.get("env"))

    def line():
        record = logging.LogRecord("cat", logging.INFO, "", 0, "", (), None)
        PropagationFilter(shown).filter(record)
        seen.append(vars(record)["env"])

    async def request():
        async def app(scope, receive, send):
            seen.append(get("env"))

        await ASGIMiddleware(app)({"type": "http", "headers": [(b"baggage", b"user=alice")]}, None, None)

    async def main(work):
        async for _ in lanes(use(env="gray")):
            break
        await soon()
        if (done := work()) is not None:
            await done

    for work in (begin_a_span, line, request):
        asyncio.run(main(work))
    assert seen == [None, "-", None]


@pytest.mark.slow
def test_nor_where_the_block_around_the_reading_ends_first():
    async def main():
        with use(env="prod"):
            async for _ in lanes(use(env="gray")):
                break
        await soon()
        return get("env"), extract({}) is get_current(), get_current() == {}

    assert asyncio.run(main()) == (None, True, True)


def test_nor_where_it_is_closed_by_hand_or_by_another_task():
    async def main():
        before = get_current()
        one, other = lanes(use(env="gray")), lanes(use(env="prod"))
        await anext(one)
        await one.aclose()
        assert get_current() is before
        await anext(other)
        await asyncio.create_task(other.aclose())
        return get("env"), get_current() is before

    assert asyncio.run(main()) == (None, True)


@pytest.mark.slow
def test_several_that_were_dropped_one_inside_the_other():
    async def main():
        async for _ in lanes(use(env="gray")):
            async for _ in lanes(use(env="prod")):
                break
            break
        await soon()
        return get("env")

    assert asyncio.run(main()) is None


@pytest.mark.slow
def test_a_task_that_a_generators_block_began_keeps_the_tag():
    async def gray(started):
        with use(env="gray"):
            started.append(asyncio.create_task(later()))
            yield

    async def later():
        await soon()
        await soon()
        first = get("env")
        await asyncio.sleep(0)
        return first, get("env")

    async def main():
        started = []
        async for _ in gray(started):
            break
        await soon()
        return await started[0], get("env")

    assert asyncio.run(main()) == (("gray", "gray"), None)


def test_a_span_that_is_around_the_reading_stays():
    async def main():
        token = attach(baggage.set_baggage("span", "1"))
        async for _ in lanes(use(env="gray")):
            break
        await soon()
        seen = get("env"), baggage.get_baggage("span")
        detach(token)
        return seen

    assert asyncio.run(main()) == (None, "1")


def test_a_generator_that_ends_in_another_thread():
    def steps():
        with use(env="gray"):
            yield

    generator = steps()
    next(generator)
    thread = threading.Thread(target=generator.close)
    thread.start()
    thread.join()
    assert get("env") is None


def test_blocks_that_end_out_of_order():
    before = get_current()
    outer, middle, inner = use(env="gray"), use(**{"x-note": "1"}), use(env="prod")
    for block in (outer, middle, inner):
        block.__enter__()
    outer.__exit__()
    assert (get("env"), get("x-note")) == ("prod", "1")
    inner.__exit__()
    assert get("x-note") == "1"
    middle.__exit__()
    assert get_current() is before


@given(st.lists(st.integers(0, 4), max_size=12), st.permutations(range(5)))
def test_in_whatever_order_blocks_begin_and_end_nothing_is_left(order, ending):
    """Each number begins its block, or ends it where it is open; the last that is open is what holds."""
    before = get_current()
    blocks = [use(env=f"lane{number}") for number in range(5)]
    around = []
    for number in order:
        if number in around:
            around.remove(number)
            blocks[number].__exit__()
        else:
            around.append(number)
            blocks[number].__enter__()
        assert get("env") == (f"lane{around[-1]}" if around else None)
    for number in ending:
        if number in around:
            blocks[number].__exit__()
    assert get_current() is before


def test_what_was_attached_inside_and_not_taken_back_ends_with_the_block():
    before = get_current()
    with use(env="gray"):
        attach(baggage.set_baggage("env", "prod"))
    assert get_current() is before
    with detached():
        use(env="gray").__enter__()
    assert get_current() is before


def test_a_block_that_is_ended_twice_or_was_never_begun_does_nothing():
    block = use(env="gray")
    block.__exit__()
    with use(env="prod"):
        with block:
            pass
        block.__exit__()
        assert get("env") == "prod"


def test_a_copied_context_has_a_block_that_is_over_for_good():
    with use(env="gray"):
        copied = copy_context()
    assert copied.run(get, "env") == "gray"
    assert copied.run(lambda: [get("env") for _ in range(2)]) == ["gray", "gray"]
    assert get("env") is None


def test_a_coroutine_that_is_closed_from_outside_leaves_alone_who_closes_it():
    waiting = waits()
    copy_context().run(waiting.send, None)
    with use(env="prod"):
        waiting.close()
        assert get("env") == "prod"


@use(env="gray")
async def waits():
    await Forever()


class Forever:
    def __await__(self):
        yield


def test_a_context_that_is_given():
    context = extract({"env": "gray"}, context=Context())
    with use(context) as current:
        assert get_current() is current
        assert get("env") == "gray"
