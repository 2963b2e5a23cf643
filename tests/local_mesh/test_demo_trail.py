"""What the demo makes of the trail in an answer: shown caller first, and wrong where it tells of another chain."""

import pytest

from meshconfig.cli import demo_run
from meshconfig.cli.console import Console
from meshconfig.local.demo import Answer, Chain, Question, failures

GRAY = Question(("gray",), Chain("gray", "prod", "gray"))


def printed(*answers):
    console = Console()
    with console.capture() as found:
        demo_run._print(console, "Asked of the gateway", list(answers))
    return found.get()


def test_a_trail_that_fits_the_chain_is_right_and_shown():
    answer = Answer(GRAY, GRAY.expected, ("cat/gray", "mouse/prod"))
    assert answer.right
    assert "env: gray: x-graylane-trail cat/gray → mouse/prod\n" in printed(answer)


def test_no_trail_is_right_and_nothing_is_shown():
    assert Answer(GRAY, GRAY.expected).right
    assert "trail" not in printed(Answer(GRAY, GRAY.expected))


@pytest.mark.parametrize("trail", [("cat/gray",), ("mouse/prod", "cat/gray"), ("cat/gray", "mouse/gray")])
def test_a_trail_that_tells_of_another_chain_is_wrong(trail):
    answer = Answer(GRAY, GRAY.expected, trail)
    assert not answer.right
    (line,) = failures([answer])
    assert line.endswith(f"with the trail {' → '.join(trail)}")


def test_of_mouse_alone_the_trail_is_mouses():
    assert Chain("", "gray", "gray").trail == ("mouse/gray",)
