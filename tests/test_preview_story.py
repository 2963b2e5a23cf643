"""The judge of the preview lanes' load test: what is wrong with a request is seen, and told of its lane."""

import json

import pytest
from preview_chains import PreviewChains
from preview_load import alternating
from preview_story import Life, PreviewStory

WORLD = PreviewChains("space", 4, 6)
NONE, OWN = [["cat", "prod"], ["mouse", "prod"]], [["cat", "pr-4"], ["mouse", "pr-4"]]
HALF, OTHERS = [["cat", "pr-4"], ["mouse", "prod"]], [["cat", "pr-0"], ["mouse", "prod"]]
HOST = "cat.space.example.com"
LANE = f"{HOST} pr-4"


@pytest.fixture
def story(tmp_path):
    """pr-4 is written at 10, Ready at 20, deleted at 30 and gone at 40."""
    found = PreviewStory(WORLD, "gateway:80", tmp_path / "requests.jsonl")
    found.rounds = [{one.name: Life(10.0, 15.0, 20.0, 30.0, 40.0) for one in WORLD.previews()}]
    return found


def judged(story, *requests):
    """(failed, mixed) of requests: the target, when it was sent and ended, and the chain that answered."""
    lines = [json.dumps([tag, sent, ended, 200 if chain else 503, chain, ""]) for tag, sent, ended, chain in requests]
    story.out.write_text("".join(f"{line}\n" for line in lines))
    rows = story.rows()
    assert sum(row.sent for row in rows) == len(requests)
    return sum(row.failed for row in rows), sum(row.mixed for row in rows)


@pytest.mark.parametrize(
    ("sent", "ended", "chain", "fine"),
    [
        (1, 2, NONE, True),
        (1, 2, OWN, False),
        (12, 13, NONE, True),
        (12, 13, OWN, True),
        (12, 13, HALF, False),
        (9, 11, OWN, True),
        (21, 22, OWN, True),
        (21, 22, NONE, False),
        (21, 22, HALF, False),
        (21, 22, OTHERS, False),
        (31, 32, NONE, True),
        (31, 32, HALF, False),
        (41, 42, NONE, True),
        (41, 42, OWN, False),
    ],
)
def test_a_lanes_requests_get_its_whole_chain_from_ready_to_the_deletion_and_never_anothers(
    story, sent, ended, chain, fine
):
    assert judged(story, (LANE, sent, ended, chain)) == (0, not fine)


def test_requests_without_a_lane_get_the_baseline_always(story):
    assert judged(story, (HOST, 1, 2, NONE), (HOST, 25, 26, NONE), (HOST, 25, 26, OWN)) == (0, 1)


def test_what_nobody_answers_has_failed(story):
    assert judged(story, (HOST, 1, 2, []), (LANE, 25, 26, [])) == (2, 0)


def test_a_lane_that_never_came_may_still_answer_nothing_of_its_own_before_it_was_written(story):
    story.lives["pr-4"] = Life(written=10.0)
    assert judged(story, (LANE, 1, 2, OWN), (LANE, 12, 13, OWN)) == (0, 1)


def test_a_lane_that_comes_again_is_judged_by_both_of_its_lives(story):
    story.rounds.append({"pr-4": Life(50.0, 55.0, 60.0, 70.0, 80.0)})
    fine = [(LANE, 25, 26, OWN), (LANE, 45, 46, NONE), (LANE, 52, 53, OWN), (LANE, 65, 66, OWN), (LANE, 85, 86, NONE)]
    assert judged(story, *fine) == (0, 0)
    assert judged(story, (LANE, 45, 46, OWN), (LANE, 65, 66, NONE), (LANE, 85, 86, OWN)) == (0, 3)


def test_every_lane_is_asked_and_half_of_the_requests_have_none(story):
    order = alternating(story.targets())
    assert {one for one in order if " " in one} == {story.target(one.chain, one) for one in WORLD.previews()}
    assert sum(" " not in one for one in order) * 2 == len(order)
    assert {one for one in order if " " not in one} == {WORLD.host(0), WORLD.host(1)}


def test_lanes_have_versions_of_callers_of_called_ones_and_of_both():
    assert [one.services for one in WORLD.previews()] == [
        ("cat",),
        ("dog",),
        ("mouse",),
        ("bird",),
        ("cat", "mouse"),
        ("dog", "bird"),
    ]
