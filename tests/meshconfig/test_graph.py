from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from meshconfig import graph
from meshconfig.groups import groups, read
from meshconfig.load import parse

EXAMPLES = Path(__file__).parents[2] / "examples"


def hops():
    return read([str(EXAMPLES / "three-hops" / "graylane.yaml")])[0].spec


def test_a_lane_with_a_hole_is_drawn_dashed_at_the_baseline():
    assert [[(cell.version, cell.own) for cell in row] for row in graph.cells(hops())] == [
        [("prod", True), ("prod", True), ("prod", True)],
        [("gray", True), ("prod", False), ("gray", True)],
    ]


def test_mermaid_has_a_box_for_each_lane_and_a_dotted_way_into_the_fallback():
    drawn = graph.mermaid(hops())
    assert 'subgraph lane1["lane gray"]' in drawn
    assert "l1_front -.-> l1_middle" in drawn
    assert "l0_front --> l0_middle" in drawn
    assert "style l1_middle stroke-dasharray: 4 4" in drawn


def test_svg_is_well_formed_and_says_each_version():
    root = ElementTree.fromstring(graph.svg(hops()))
    texts = [node.text for node in root.iter() if node.tag.endswith("text")]
    assert texts[:4] == ["front", "middle", "back", "prod"]
    assert texts.count("gray") == 3  # the lane's name and its two versions


def test_services_that_call_in_a_circle_are_all_drawn():
    text = (
        (EXAMPLES / "three-hops" / "graylane.yaml")
        .read_text()
        .replace(
            "port: 9001\n      versions: {prod: {labels: {env: prod}}, gray",
            "port: 9001\n      calls: [front]\n      versions: {prod: {labels: {env: prod}}, gray",
        )
    )
    (group,) = groups(parse(text, "circle.yaml"))
    assert group.spec.spec.services["back"].calls == ("front",)
    assert sorted(graph.call_order(group.spec)) == ["back", "front", "middle"]


SHOP = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: shop, namespace: shop}
spec:
  lanes: {prod: {}, gray: {}, "dev-alice": {versions: {cart: alice}}, strict: {mode: strict}}
  services:
    front: {host: front, port: 80, calls: [cart, pay], versions: {prod: {labels: {v: a}}, gray: {labels: {v: b}}}}
    cart: {host: cart, port: 80, versions: {prod: {labels: {v: a}}, alice: {labels: {v: c}}, gray: {labels: {v: b}}}}
    pay: {host: pay, port: 80, calls: [front], versions: {prod: {labels: {v: a}}}}
  entries:
    - hosts: [shop.example.com, www.example.com]
      tag: untrusted
      admit: [{lane: dev-alice, match: {cookies: {beta: "1"}}}]
      split: {gray: 5, prod: 15}
      routes: [{path: {prefix: /}, service: front}]
    - hosts: [a-very-long-name-of-a-host.example.com]
      routes: [{path: {prefix: /}, service: front}]
"""
NODE = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def shop():
    (group,) = groups(parse(SHOP, "shop.yaml"))
    return ElementTree.fromstring(graph.svg(group.spec))


def cells_drawn(root):
    """The text, colour and dash of each box of a version: a rectangle and the text after it."""
    nodes = list(root)
    return [
        (text.text, box.get("stroke"), box.get("stroke-dasharray") is not None)
        for box, text in pairwise(nodes)
        if box.tag == f"{NODE}rect" and box.get("fill-opacity")
    ]


def test_a_lane_has_one_colour_in_all_services_and_a_fallback_that_of_the_baseline(shop):
    prod, gray, alice = graph.COLOURS[:3]
    own = [("prod", prod, False)] * 3 + [("gray", gray, False)] * 2 + [("alice", alice, False)]
    others = [("prod", prod, True)] * 3 + [("503", graph.REFUSED, True)] * 3
    assert sorted(cells_drawn(shop)) == sorted(own + others)
    names = {text.text: text.get("fill") for text in shop.iter(f"{NODE}text") if text.get("fill")}
    assert names == dict(zip(("prod", "gray", "dev-alice", "strict"), graph.COLOURS, strict=False))


def test_each_call_of_a_lane_that_answers_is_an_arrow_and_so_is_each_way_in(shop):
    calls, ways_in = (
        3 * 3,
        3 + 4,
    )  # in three lanes; prod, gray and dev-alice at one entry, all by their tag at the other
    arrows = [path for path in shop.iter(f"{NODE}path") if path.get("marker-end")]
    assert len(arrows) == calls + ways_in


def test_an_entry_has_its_hosts_its_split_and_how_else_requests_enter_a_lane(shop):
    texts = [text.text for text in shop.iter(f"{NODE}text")]
    for text in ("shop.example.com +1", "a-very-long-name-of…", "75 %", "25 %", "admit", "100 %, tag", "tag"):
        assert text in texts
    assert texts.count("tag") == 3
