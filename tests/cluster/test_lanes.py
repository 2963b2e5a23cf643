"""The cat-mouse lanes on a real mesh: gateway and mesh routes, and the tag as it goes on."""

from functools import partial
from pathlib import Path

import pytest
import yaml
from mesh_cluster import answered

from meshconfig.compile import compile_group
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.render import render

pytestmark = pytest.mark.cluster
SPEC = Path(__file__).parents[2] / "examples" / "cat-mouse" / "graylane.yaml"


def test_a_tag_leads_to_its_lane_and_everybody_else_gets_prod(cluster):
    value = yaml.safe_load(SPEC.read_text())
    value["metadata"]["namespace"] = "graylane-test"
    (group,) = groups(parse(yaml.safe_dump(value), "cat-mouse"))
    cluster.apply(render([compile_group(group.spec)]))
    asked = [("gray", "gray"), ("prod", "prod"), ("daily", "prod"), (None, "prod")]
    for tag, version in asked:
        headers = [("env", tag)] if tag else []
        answer = answered(partial(cluster.ask_gateway, "cat.example.com", "/sayHello", headers))
        assert (answer.service, answer.version) == ("cat", version), answer
        assert answer.header("env") == ([tag] if tag in ("gray", "prod") else [])
        inside = answered(partial(cluster.ask_mesh, "mouse", "/sayHello", headers))
        assert inside.version == version, inside
    two = [("env", "nobody"), ("env", "gray")]
    twice = answered(partial(cluster.ask_gateway, "cat.example.com", "/sayHello", two))
    assert (twice.version, twice.header("env")) == ("gray", ["gray"])
    joined = answered(partial(cluster.ask_gateway, "cat.example.com", "/sayHello", [("env", "gray,prod")]))
    assert joined.version == "prod", joined
