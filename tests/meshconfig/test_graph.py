from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from meshconfig import graph
from meshconfig.groups import groups, read
from meshconfig.load import parse
from meshconfig.palette import BASELINE, REFUSED, colours

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
    assert f"style l1_middle stroke:{BASELINE},stroke-dasharray: 4 4" in drawn


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
    colour = colours(["prod", "gray", "dev-alice", "strict"], "prod")
    prod, gray, alice = colour["prod"], colour["gray"], colour["dev-alice"]
    own = [("prod", prod, False)] * 3 + [("gray", gray, False)] * 2 + [("alice", alice, False)]
    others = [("prod", prod, True)] * 3 + [("503", REFUSED, True)] * 3
    assert sorted(cells_drawn(shop)) == sorted(own + others)
    names = {text.text: text.get("fill") for text in shop.iter(f"{NODE}text") if text.get("fill")}
    assert names == colour


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


OUTSIDE = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: shop, namespace: shop}
spec:
  lanes: {prod: {}, gray: {}, blue: {mode: strict}}
  services:
    front:
      host: front
      port: 80
      calls: [cart, pay]
      versions: {prod: {labels: {v: a}}, gray: {labels: {v: b}}, blue: {labels: {v: c}}}
    cart: {host: cart, port: 80, weights: {v1: 70, v2: 30}, versions: {v1: {labels: {v: a}}, v2: {labels: {v: b}}}}
    pay:
      host: api.pay.example.com
      port: 80
      external: {port: 443, tls: SIMPLE}
      versions: {prod: {host: api.pay.example.com}, gray: {host: sandbox.pay.example.com}}
  entries:
    - hosts: [shop.example.com]
      split: {gray: 1, prod: 3}
      routes: [{path: {prefix: /}, service: front}]
"""


@pytest.fixture
def outside():
    (group,) = groups(parse(OUTSIDE, "shop.yaml"))
    return group.spec


def test_weights_are_shown_with_their_shares_and_services_outside_with_their_hosts(outside):
    prod, gray, blue = graph.cells(outside)
    assert [cell.text for cell in prod] == ["prod", "v1 70 %, v2 30 %", "prod"]
    assert [(cell.text, cell.own, cell.outside) for cell in gray] == [
        ("gray", True, ""),
        ("v1 70 %, v2 30 %", False, ""),
        ("gray", True, "sandbox.pay.example.com"),
    ]
    assert [cell.text for cell in blue] == ["blue", "503", "503"]


def test_mermaid_has_the_entries_ways_into_lanes_and_a_legend_of_what_is_drawn(outside):
    drawn = graph.mermaid(outside)
    colour = colours(outside.spec.lanes, "prod")
    for line in (
        'e0(["shop.example.com"])',
        'e0 -->|"75 %, tag"| lane0',
        'e0 -->|"25 %, tag"| lane1',
        f"style lane1 stroke:{colour['gray']},stroke-width:2px",
        '  l1_pay{{"pay / gray<br>sandbox.pay.example.com"}}',
        f"style l2_cart stroke:{REFUSED},stroke-dasharray: 4 4",
        '  k1["fallback to the baseline"]',
        '  k2["503: strict, no version here"]',
        '  k3{{"outside the mesh"}}',
    ):
        assert f"  {line}\n" in drawn, line
    assert "k4" not in drawn
    assert "k1" in graph.mermaid(hops())
    assert "k2" not in graph.mermaid(hops())


def test_svg_has_a_legend_of_what_is_drawn(outside):
    def texts(spec):
        return {node.text for node in ElementTree.fromstring(graph.svg(spec)).iter(f"{NODE}text")}

    assert {"the lane's own version", "fallback to the baseline", "503: strict, no version"} <= texts(outside)
    assert {"outside the mesh", "sandbox.pay.example.…", "v1 70 %, v2 30 %"} <= texts(outside)
    assert "outside the mesh" not in texts(hops())
    assert "fallback to the baseline" in texts(hops())


def test_a_table_has_each_lane_each_entry_and_what_the_signs_mean(tmp_path, graylane):
    file = tmp_path / "shop.yaml"
    file.write_text(OUTSIDE)
    code, out, _ = graylane("graph", "-f", file, "--format", "table")
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert rows[:4] == [
        "shop/shop front cart pay",
        "prod prod (v1 70 %, v2 30 %) prod → api.pay.example.com",
        "gray gray (v1 70 %, v2 30 %) gray → sandbox.pay.example.com",
        "blue blue 503 503",
    ]
    assert rows[4] == "entry shop.example.com: prod by 75 %, tag; gray by 25 %, tag; blue by tag"
    assert rows[5].startswith("(…): fallback to the baseline")


def test_a_terminal_gets_a_table_in_the_lanes_colours_and_a_pipe_mermaid(tmp_path, graylane, monkeypatch):
    file = tmp_path / "shop.yaml"
    file.write_text(OUTSIDE)
    assert graylane("graph", "-f", file)[1].startswith("flowchart LR\n")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for name, value in {"FORCE_COLOR": "1", "COLORTERM": "truecolor", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    _, out, _ = graylane("graph", "-f", file)
    assert "(v1 70 %, v2 30 %)" in out
    red, green, blue = (int(colours(["gray", "blue"], "prod")["gray"][at : at + 2], 16) for at in (1, 3, 5))
    assert f"38;2;{red};{green};{blue}m" in out
