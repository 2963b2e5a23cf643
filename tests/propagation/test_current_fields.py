"""`get` and `use` see what OpenTelemetry's baggage holds, and the other way about."""

import asyncio
from threading import Thread

import pytest
from opentelemetry import baggage
from opentelemetry.context import attach, detach, get_current

from propagation import InvalidValueError, PropagationConfig, extract, get, inject, use


def test_code_that_sets_opentelemetrys_baggage_is_seen_and_goes_out():
    token = attach(baggage.set_baggage("env", "gray"))
    try:
        assert get("env") == "gray"
        assert inject({}) == {"env": "gray", "baggage": "env=gray"}
    finally:
        detach(token)


def test_code_that_reads_opentelemetrys_baggage_sees_what_use_sets():
    with use(env="gray.next"):
        assert baggage.get_baggage("env") == "gray.next"
        assert get("env") == "gray"


@pytest.mark.parametrize("value", ["a b", "", 7, None, ["gray"]])
def test_baggage_that_is_no_tag_reads_as_none_and_stays_here(value):
    context = baggage.set_baggage("env", value)
    assert get("env", context) is None
    assert "env" not in inject({}, context=context)


def test_use_nests_and_ends_with_an_exception():
    before = get_current()
    with use(env="gray"):
        with pytest.raises(ZeroDivisionError), use(env="prod"):
            1 / (get("env") != "prod")
        with use(env=None):
            assert get("env") is None
        assert get("env") == "gray"
    assert get_current() is before


def test_use_takes_up_a_context_that_was_extracted():
    with use(extract({"env": "gray"}), **{"x-note": "1"}):
        assert (get("env"), get("x-note")) == ("gray", "1")


def test_use_decorates_a_function():
    @use(env="gray")
    def work():
        return get("env")

    assert (work(), work(), get("env")) == ("gray", "gray", None)


def test_use_decorates_an_async_function_for_all_of_its_time():
    started = []

    @use(env="gray")
    async def job(number):
        started.append(number)
        while len(started) < 2:
            await asyncio.sleep(0)
        return get("env")

    async def main():
        return await asyncio.gather(job(1), job(2)), get("env")

    assert asyncio.run(main()) == (["gray", "gray"], None)


def test_one_use_can_be_around_many_tasks_at_once(caplog):
    gray = use(env="gray")

    async def work(steps):
        with gray:
            for _ in range(steps):
                await asyncio.sleep(0)
            inside = get("env")
        return inside, get("env")

    async def main():
        return await asyncio.gather(*map(work, (1, 3, 2)))

    assert asyncio.run(main()) == [("gray", None)] * 3
    with gray, gray:
        pass
    assert get("env") is None
    assert "Failed to detach" not in caplog.text


def test_use_in_a_generator_that_ends_in_another_thread_leaves_that_one_alone(caplog):
    def steps():
        with use(env="gray"):
            yield

    generator = steps()
    thread = Thread(target=next, args=(generator,))
    thread.start()
    thread.join()
    with use(env="prod"):
        generator.close()
        assert get("env") == "prod"
    assert "Failed to detach" not in caplog.text


def test_use_decorates_no_generator():
    with pytest.raises(TypeError, match=r"steps is a generator"):

        @use(env="gray")
        def steps():
            yield get("env")

    with pytest.raises(TypeError, match=r"more is a generator"):

        @use(env="gray")
        async def more():
            yield get("env")


def test_use_refuses_what_could_not_be_sent(environment):
    with pytest.raises(InvalidValueError, match=r"^env: the value 'a b' is malformed$"), use(env="a b"):
        pass
    environment(allowed_values="env=prod|gray")
    with pytest.raises(InvalidValueError, match=r"^env: the value 'blue' is unlisted; allowed are gray, prod$"):
        use(env="blue").__enter__()


def test_tasks_keep_their_own_fields():
    async def work(lane):
        with use(env=lane):
            await asyncio.sleep(0)
            inner = await asyncio.create_task(echo())
            return inner, get("env")

    async def echo():
        await asyncio.sleep(0)
        return get("env")

    async def main():
        return await asyncio.gather(*(work(f"lane{number}") for number in range(50)))

    assert asyncio.run(main()) == [(f"lane{number}",) * 2 for number in range(50)]


def test_local_fields_are_for_this_process_alone(environment):
    environment(local_fields="user")
    with use(user="alice with any character\n"):
        assert get("user") == "alice with any character\n"
        assert baggage.get_all() == {}
        assert inject({}) == {}
        with use(user=None):
            assert get("user") is None


def test_work_that_no_request_started_has_its_origin(environment):
    environment(origin="env=gray.next")
    assert get("env") == "gray"
    assert inject({}) == {"env": "gray.next", "baggage": "env=gray.next"}
    with use(**{"x-note": "1"}):
        assert get("env") == "gray"
        assert baggage.get_baggage("env") == "gray.next"
    with use(env="prod"):
        assert get("env") == "prod"
    with use(env=None):
        assert get("env") is None
        assert inject({}) == {}


def test_a_message_without_a_tag_has_the_origin_and_one_with_it_its_own(environment):
    environment(origin="env=gray")
    assert get("env", extract({})) == "gray"
    assert get("env", extract({"env": "prod"})) == "prod"
    assert get("env", extract({"env": "a b"})) is None


def test_clients_follow_the_config_of_the_request():
    config = PropagationConfig(remote_fields=("lane",), key_names={"lane": ("x-lane",)})
    with use(extract({"x-lane": "gray.next"}, config=config)):
        assert get("lane") == "gray"
        assert inject({}) == {"x-lane": "gray.next", "baggage": "lane=gray.next"}
