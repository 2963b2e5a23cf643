"""The live picture and its table."""

from xml.etree import ElementTree

from carried_chains import shop
from hypothesis import given
from hypothesis import strategies as st

from meshconfig import graph
from meshconfig.carry import UNTAGGED, Workload
from meshconfig.palette import colours
from meshconfig.traffic import Flow, arrows, rows
from meshconfig.traffic.shown import number, share

FRONT, CART, BASE = Workload("front", "gray"), Workload("cart", "gray"), Workload("cart", "prod")
SVG = "{http://www.w3.org/2000/svg}"
FLOWS = [
    Flow(None, FRONT, "gray", 12.0),
    Flow(FRONT, CART, "gray", 9.0, 0.5, 20.0),
    Flow(FRONT, BASE, "gray", 1.0, 0.0, 40.0),
    Flow(None, Workload("front", "prod"), UNTAGGED, 3.0),
]


def test_the_picture_has_each_lanes_rates_in_the_lanes_colour() -> None:
    root = ElementTree.fromstring(graph.svg(shop(), arrows(shop(), FLOWS)))
    texts = [one.text for one in root.iter(f"{SVG}text")]
    assert "12/s" in texts  # what enters the lane
    assert texts[texts.index("10/s") :][:3] == ["10/s", "45 % errors", "p95 40 ms"]
    assert "3/s" in texts  # without a tag: the baseline's
    colour = colours(shop().spec.lanes, "prod")["gray"]
    drawn = [one for one in root.iter(f"{SVG}path") if one.get("stroke") == colour]
    assert len(drawn) == 1
    assert float(drawn[0].get("stroke-width", "0")) > 1


def test_an_edge_that_the_spec_does_not_have_is_drawn_where_requests_flow() -> None:
    flows = [Flow(CART, FRONT, "gray", 2.0)]
    without, with_it = (graph.svg(shop(), arrows(shop(), one)) for one in ([], flows))
    assert with_it.count("<path") == without.count("<path") + 1


def test_the_table_says_where_a_lane_falls_back_and_has_requests_of_no_lane_last() -> None:
    table = rows(shop(), FLOWS)
    assert [(one.caller, one.callee, one.fallback) for one in table if one.lane == "gray"] == [
        ("", "front/gray", False),
        ("front/gray", "cart/gray", False),
        ("front/gray", "cart/prod", True),
    ]
    assert table[-1].lane == UNTAGGED


@given(st.floats(0, 1))
def test_a_share_of_errors_is_never_rounded_to_none_or_to_all(value: float) -> None:
    assert (share(value) == "0 %") == (value == 0)
    assert (share(value) == "100 %") == (value == 1)


def test_numbers_have_three_digits() -> None:
    assert [number(one) for one in (0, 0.1234, 12.34, 1234.5)] == ["0", "0.123", "12.3", "1234"]
