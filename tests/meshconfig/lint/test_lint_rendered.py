"""Findings in what a spec renders to: they name the spec's field and line."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, reject, settings
from random_specs import specs

from meshconfig.errors import InputError
from meshconfig.lint import Level, index, lint
from meshconfig.load import load, parse

ROOT = Path(__file__).parents[3]


def found_in(text):
    return [(one.code, one.path, one.location.line) for one in lint(index(parse(text, "in.yaml")))]


RULES = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}}
  services:
    cat:
      host: cat
      port: 9001
      versions: {prod: {labels: {env: prod}}, gray: {labels: {env: gray}}}
      rules:
        - {match: {headers: {user: {prefix: a}}}, weights: {gray: 1}}
        - {match: {headers: {user: alice}}, weights: {prod: 1}}
  entries:
    - hosts: [cat.example.com]
      admit:
        - {lane: gray, match: {headers: {team: {present: true}}}}
        - {lane: gray, match: {headers: {team: blue}}}
      routes:
        - {path: {prefix: /a}, service: cat}
        - {path: {prefix: /a/b}, service: cat}
        - {path: {prefix: /}, service: cat}
"""


def test_a_shadowed_rule_admit_or_path_of_a_spec_is_named_by_its_own_field_and_line():
    assert [one.message.split(": ")[1].split(" ")[0] for one in lint(index(parse(RULES, "in.yaml")))] == [
        "spec.services.cat.rules[0]",
        "spec.entries[0].admit[0]",
        "spec.entries[0].routes[0]",
    ]
    assert found_in(RULES) == [
        ("GL203", "spec.services.cat.rules[1]", 13),
        ("GL203", "spec.entries[0].admit[1]", 18),
        ("GL203", "spec.entries[0].routes[1]", 21),
    ]


def test_what_an_entry_repeats_for_each_path_is_no_mistake_of_its_author():
    """A rule on a path is met by an entry's wider and narrower path alike; the routes between services have it once."""
    text = RULES.replace("user: {prefix: a}", "user: alex").replace("team: {present: true}", "team: red")
    text = text.replace("{prefix: /a/b}", "{exact: /c}")
    assert found_in(text) == []
    narrowed = text.replace("headers: {user: alice}", "path: {prefix: /a/x}")
    assert found_in(narrowed) == []


SERVICES = """\
---
apiVersion: v1
kind: Service
metadata: {name: cats, namespace: demo}
spec: {ports: [{port: 9001, name: http}, {port: 9002, name: http-b}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cat, namespace: demo}
spec: {template: {metadata: {labels: {env: prod}}, spec: {}}}
"""


def test_manifests_beside_a_spec_tell_what_it_names_wrongly():
    found = found_in(
        RULES.replace("alice", "bob").replace("{team: blue}", "{x: blue}").replace("/a/b", "/b") + SERVICES
    )
    assert found == [
        ("GL102", "spec.services.cat.host", 8),
        ("GL103", "spec.services.cat.host", 8),
        ("GL301", "spec.services.cat.versions.gray.labels", 10),
    ]


def test_a_wrong_port_of_a_spec_is_the_port_s_own_line():
    text = RULES.replace("alice", "bob").replace("{team: blue}", "{x: blue}").replace("/a/b", "/b") + SERVICES
    text = (
        text.replace("name: cats", "name: cat")
        .replace("port: 9001\n", "port: 80\n")
        .replace("env: prod}}, spec", "env: gray}}, spec")
    )
    assert found_in(text) == [
        ("GL107", "spec.services.cat.port", 9),
        ("GL301", "spec.services.cat.versions.prod.labels", 10),
    ]


@pytest.mark.parametrize("folder", ["examples", "tests/golden"])
def test_what_good_specs_render_to_has_no_error_or_warning(folder):
    files = [*(ROOT / folder).glob("*/graylane*.yaml"), *(ROOT / folder).glob("*/in.yaml")]
    assert len(files) >= 6
    found = {
        (one.location.file, one.code)
        for file in files
        for one in lint(index(load([str(file)])))
        if one.level != Level.INFO
    }
    # These lanes are strict and refuse, which is what the cases show; one of them has no version at all.
    meant = {("strict-lane", "GL603"), ("trail", "GL602"), ("trail", "GL603"), ("path-routes", "GL225")}
    assert {(Path(file).parent.name, code) for file, code in found} <= meant


# What a spec's author may get wrong; all other mistakes the compiler leaves no room for.
AUTHORS = {
    "GL201",
    "GL202",
    "GL203",
    "GL211",
    "GL601",
    "GL602",
    "GL603",
    "GL605",
    "GL606",
    "GL607",
    "GL610",
    "GL611",
    "GL612",
    "GL615",
    "GL620",
}


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(specs())
def test_what_any_spec_renders_to_has_no_mistake_but_its_author_s_each_with_a_field_and_a_line(value):
    try:
        subject = index(parse(yaml.safe_dump(value), "random.yaml"))
    except InputError:
        reject()  # a split into a strict lane
    for finding in lint(subject):
        assert finding.code in AUTHORS, finding
        assert finding.location.line
        assert re.fullmatch(r"spec(\.[\w-]+|\[\d+\])+", finding.path), finding
        assert "False" not in finding.message
        assert finding.resource == "LaneGroup demo/random"
