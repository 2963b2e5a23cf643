"""Lanes are told apart by people with any colour vision, on white and on a dark background."""

from itertools import combinations
from math import dist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.palette import BASELINE, LANES, REFUSED, colours

EVERY = (BASELINE, *LANES)
DARK = "#121212"
# Source: Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# 2009, severity 1.0.
VISION = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def linear(colour: str) -> list[float]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def luminance(rgb: list[float]) -> float:
    return sum(factor * part for factor, part in zip((0.2126, 0.7152, 0.0722), rgb, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted(luminance(linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(colour: str, vision: str) -> tuple[float, float, float]:
    """CIELAB (D65) of what somebody sees."""
    rgb = [min(1, max(0, sum(a * b for a, b in zip(row, linear(colour), strict=True)))) for row in VISION[vision]]
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    xyz = [sum(a * b for a, b in zip(row, rgb, strict=True)) for row in rows]
    x, y, z = (
        part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116
        for part in (one / white for one, white in zip(xyz, (0.9505, 1, 1.089), strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("vision", VISION)
def test_no_two_lanes_look_alike(vision: str) -> None:
    for one, other in combinations(EVERY, 2):
        assert dist(lab(one, vision), lab(other, vision)) >= 20, (one, other)


@pytest.mark.parametrize("background", ["#ffffff", DARK])
def test_each_colour_is_seen_on_white_and_on_a_dark_background(background: str) -> None:
    assert min(contrast(colour, background) for colour in (*EVERY, REFUSED)) >= 3


names = st.text("abcdefgh-", min_size=1, max_size=6)


@given(st.sets(names, max_size=30), names)
def test_each_lane_has_a_colour_and_its_own_while_there_are_enough(lanes: set[str], baseline: str) -> None:
    found = colours(lanes, baseline)
    assert found.keys() == {*lanes, baseline}
    assert found[baseline] == BASELINE
    others = [colour for lane, colour in found.items() if lane != baseline]
    assert set(others) <= set(LANES)
    assert len(set(others)) == min(len(others), len(LANES))
    assert found == colours(sorted(lanes, reverse=True), baseline)


def test_a_lane_keeps_its_colour_when_another_comes_or_goes() -> None:
    assert colours(["gray"], "prod")["gray"] == colours(["gray", "zoo"], "prod")["gray"]
