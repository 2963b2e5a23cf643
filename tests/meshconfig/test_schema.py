"""The JSON Schema says what each field means, and the errors say in words what a pattern allows."""

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import yaml

from meshconfig.cli.schema import json_schema
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.load import parse

SCHEMA = json_schema()
MODELS = {name: model for name, model in SCHEMA["$defs"].items() if "properties" in model}
FIELDS = [(model, field) for model in MODELS for field in MODELS[model]["properties"]]
SPEC = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  tag: {header: env, default: prod}
  lanes: {prod: {}, gray: {}}
  services:
    cat:
      host: cat-svc
      port: 80
      versions: {prod: {labels: {v: prod}, workload: cat-prod}, gray: {labels: {v: gray}}}
  entries:
    - hosts: [cat.example.com]
      gateway: {use: istio-system/shop}
      routes: [{path: {prefix: /}, service: cat, method: GET, rewrite: /x}]
"""


@pytest.mark.parametrize(("model", "field"), FIELDS)
def test_every_field_has_a_description(model: str, field: str) -> None:
    text = MODELS[model]["properties"][field].get("description", "")
    assert re.fullmatch(r"[A-Z`{0-9a-z].*\.", text), f"{model}.{field}: {text!r}"


def test_no_description_is_of_a_field_that_there_is_not() -> None:
    texts = yaml.safe_load(files("meshconfig.spec").joinpath("descriptions.yaml").read_text("utf-8"))
    there = {(name.rpartition("__")[2], field) for name, field in FIELDS}
    assert {(name, field) for name in texts for field in texts[name]} == there


def patterns(schema: Any) -> Iterator[str]:
    """All patterns of values and keys in a schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        yield from schema.get("patternProperties", {})
        for part in schema.values():
            yield from patterns(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from patterns(part)


def test_every_pattern_is_said_in_words() -> None:
    from meshconfig.spec.base import LABEL, words_of

    durations = {one for one in patterns(SCHEMA) if "ms|s|m|h|d" in one}  # the field's own check says what to write
    assert [one for one in set(patterns(SCHEMA)) - durations - {LABEL} if words_of(one) is None] == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "cat.example.com",
            '"http://cat.example.com/"',
            "takes a host such as shop.example.com, .*; write cat.example.com",
        ),
        ("cat.example.com", '"cat.example.com:8080"', "; write cat.example.com"),
        ("cat.example.com", "Cat.Example.Com", "; write cat.example.com"),
        ("cat.example.com", "cat..com", "takes a host such as shop.example.com, .* path$"),
        ("host: cat-svc", "host: Cat_Svc", "takes the name of a Service, .*; write cat-svc"),
        ("prefix: /}", "prefix: api/cat}", "takes a path that begins with /, without . and #; write /api/cat"),
        ("prefix: /}", 'prefix: "/a?b=c"}', "; write /a$"),
        ("header: env", 'header: "X Lane:"', "takes the name of a header, .* colon; write X-Lane"),
        ("gray: {}}", "dev.alice: {}}", "takes a name of letters, digits, - and _, .* dot; write dev-alice"),
        ("gray: {}}", '"": {}}', "takes a name of letters, digits, - and _, at most 63, without a dot$"),
        ("method: GET", "method: get", "takes an HTTP method in capitals, such as GET; write GET"),
        ("rewrite: /x", "rewrite: x", "takes a path that begins with /; write /x"),
        ("istio-system/shop", "shop", "takes NAMESPACE/NAME of a Gateway"),
        ("workload: cat-prod", "workload: Cat_Prod", "takes the name of a Deployment: .*; write cat-prod"),
        ("labels: {v: gray}", 'labels: {v: "a b"}', "takes the value of a label: .*; write a-b"),
        ("labels: {v: gray}", 'labels: {"a b": c}', "takes the key of a label, .*; write a-b"),
        ("name: pets", "name: My_Pets", "is not a DNS label: lower-case letters, .*; write my-pets"),
    ],
)
def test_a_value_that_matches_no_pattern_is_told_in_words_what_to_write(old: str, new: str, said: str) -> None:
    assert old in SPEC
    with pytest.raises(InputError) as caught:
        groups(parse(SPEC.replace(old, new), "in.yaml"))
    assert len(caught.value.problems) == 1
    message = caught.value.problems[0].message
    assert re.search(said, message), message
    assert "^" not in message
