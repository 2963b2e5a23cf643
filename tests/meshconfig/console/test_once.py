"""A form that is sent twice does its work once, and both get the answer to the first."""

import asyncio
from itertools import count

import pytest
from starlette.responses import PlainTextResponse, RedirectResponse

from meshconfig.console.once import EACH, FIELD, KEPT, LIFE, Once
from meshconfig.errors import GraylaneError

FORM = {FIELD: "k", "weight": "5"}


def run(*forms, once=None, work=None, owner="ann"):
    """How often the work was done for forms that are sent one after the other, and the answers."""
    done = count()
    once = once or Once()

    async def change():
        await asyncio.sleep(0)
        return RedirectResponse(f"/{next(done)}", 303)

    async def send():
        found = [await once.answer(owner, "/change", form, work or change) for form in forms]
        return next(done), [one.headers.get("location") for one in found]

    return asyncio.run(send())


def test_the_same_form_is_taken_once():
    assert run(FORM, FORM) == (1, ["/0", "/0"])


@pytest.mark.parametrize("other", [{**FORM, "weight": "6"}, {**FORM, FIELD: "another page"}])
def test_other_fields_or_another_page_are_another_wish(other):
    assert run(FORM, other) == (2, ["/0", "/1"])


def test_a_form_without_a_key_is_always_taken():
    assert run({"weight": "5"}, {"weight": "5"}) == (2, ["/0", "/1"])


def test_what_was_refused_can_be_sent_again():
    once, refusals = Once(), iter([GraylaneError("busy")])

    async def refuse():
        for one in refusals:
            raise one
        return PlainTextResponse("ok")

    with pytest.raises(GraylaneError):
        run(FORM, once=once, work=refuse)
    assert run(FORM, once=once) == (1, ["/0"])


def test_the_second_waits_for_the_first_also_where_the_browser_has_given_the_first_up():
    done = count()

    async def story():
        once, go = Once(), asyncio.Event()

        async def change():
            await go.wait()
            return RedirectResponse(f"/{next(done)}", 303)

        first = asyncio.ensure_future(once.answer("ann", "/change", FORM, change))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(once.answer("ann", "/change", FORM, change))
        await asyncio.sleep(0)
        first.cancel()
        go.set()
        return (await second).headers["location"]

    assert asyncio.run(story()) == "/0"
    assert next(done) == 1


def test_nobody_gets_the_answer_to_the_form_of_another():
    once = Once()
    assert run(FORM, once=once) == (1, ["/0"])
    assert run(FORM, once=once, owner="bob") == (1, ["/0"])
    assert run(FORM, once=once, owner="bob")[0] == 0


def test_answers_are_kept_for_a_while_a_few_of_each_person_and_not_without_end():
    now = [0.0]
    once = Once(lambda: now[0])
    run(FORM, *({**FORM, FIELD: str(number)} for number in range(EACH)), once=once)
    assert run(FORM, once=once)[0] == 1  # the oldest has gone
    for number in range(KEPT):
        run(FORM, once=once, owner=str(number))
    assert len(once._sent) == KEPT
    now[0] = LIFE + 1
    run(FORM, once=once)
    assert len(once._sent) == 1
