from pathlib import Path
from xml.etree import ElementTree

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
