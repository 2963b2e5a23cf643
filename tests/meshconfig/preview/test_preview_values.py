"""When a lane ends, which images it may name, and which of several lanes has room."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.preview.expiry import expiry
from meshconfig.preview.images import is_allowed, repository
from meshconfig.preview.quota import has_room
from meshconfig.spec.preview import moment

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@given(TIMES, st.floats(0.001, 366 * 86400), TIMES)
def test_an_annotation_prolongs_and_never_shortens(created, ttl, until):
    found = expiry(created, ttl, until.isoformat())
    assert not found.wrong
    assert found.at == max(created + timedelta(seconds=ttl), until)


@given(TIMES, st.text())
def test_an_annotation_that_is_no_time_is_told_and_counts_nothing(created, text):
    found = expiry(created, 60, text)
    if moment(text) is None:
        assert "graylane.dev/keep-until takes a time" in found.wrong
        assert found.at == created + timedelta(seconds=60)


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00", "8h"]
)
def test_a_time_needs_a_zone_and_a_year_that_there_is(text):
    assert expiry(BEGAN, 60, text).wrong


@pytest.mark.parametrize(
    ("image", "prefix", "allowed"),
    [
        ("registry.example.com/team/cat:1", "registry.example.com/team", True),
        ("registry.example.com/team/cat:1", "registry.example.com", True),
        ("registry.example.com/teams/cat:1", "registry.example.com/team", False),
        ("registry.example.com.evil.io/team/cat", "registry.example.com", False),
        ("registry.example.com:5000/cat", "registry.example.com", False),
        ("registry.example.com:5000/cat@sha256:0a", "registry.example.com:5000", True),
        ("REGISTRY.example.com/cat", "registry.example.com", True),
        ("cat:1", "docker.io", True),
        ("cat:1", "library", True),
        ("cat:1", "shop", False),
        ("shop/cat:1", "shop", True),
        ("shop/cat:1", "shop/cat", True),
        ("docker.io/shop/cat:1", "shop", True),
        ("evil.example.com/shop/cat", "shop", False),
        ("localhost/shop/cat", "shop", False),
        ("EVIL/cat:1", "docker.io", False),
        ("Evil/library/cat", "docker.io", False),
        ("docker.io/cat:1", "docker.io/library", True),
        ("docker.io/cat:1", "library/cat", True),
        ("index.docker.io/cat", "docker.io/library/cat", True),
        ("index.docker.io/shop/cat", "shop", True),
        ("shop/cat", "index.docker.io", True),
        ("Cat", "docker.io/library", True),
    ],
)
def test_an_image_is_allowed_by_whole_parts_of_its_name(image, prefix, allowed):
    assert is_allowed(image, [prefix]) is allowed
    assert is_allowed(image, [])


@pytest.mark.parametrize(
    ("image", "name"),
    [("cat", "cat"), ("cat:1", "cat"), ("r:5000/cat", "r:5000/cat"), ("r:5000/a/cat:1@sha256:f", "r:5000/a/cat")],
)
def test_a_repository_has_no_tag_and_no_digest(image, name):
    assert repository(image) == name


@dataclass
class One:
    name: str
    admitted: bool = False
    deleting: bool = False
    phase: str = ""


@given(st.lists(st.sampled_from(("new", "there", "ends", "failed")), max_size=8), st.integers(1, 4))
def test_a_group_never_gets_more_lanes_than_it_has_room_for_and_the_oldest_comes_in_first(kinds, most):
    lanes = [
        One(f"pr-{number}", kind in ("there", "ends"), kind == "ends", "Failed" if kind == "failed" else "")
        for number, kind in enumerate(kinds)
    ]
    there = sum(one.admitted for one in lanes)
    waiting = [one for one in lanes if not one.admitted and one.phase != "Failed"]
    came = [one for one in waiting if has_room(lanes, one.name, most)]
    assert came == waiting[: max(0, most - there)]
    assert all(has_room(lanes, one.name, None) for one in lanes)
