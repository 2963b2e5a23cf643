"""The CustomResourceDefinitions are current, have the form that an API server takes, and take what the models take.

`tests/cluster/test_crds.py` asks a real API server.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from random_specs import outside_specs, specs
from rollout_world import rollout
from wrong_objects import GROUP, LANE, REFUSED, ROLLOUT, UNSAID

from meshconfig.backend.kinds import KINDS
from meshconfig.crds import definitions
from meshconfig.crds.bounds import DEFAULTS, FIELDS, ITEMS
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.load import Document, load, parse
from meshconfig.render import to_yaml
from meshconfig.rollout import check
from meshconfig.spec import PreviewLane
from meshconfig.spec.base import validate

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "k8s" / "crds"
DEFINITIONS = {one["spec"]["names"]["kind"]: one for one in definitions()}
SCHEMAS = {kind: one["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for kind, one in DEFINITIONS.items()}
# OpenAPI 3.0 has the keywords of draft 4: `exclusiveMinimum` is true or false.
CHECKS = {kind: jsonschema.Draft4Validator(schema) for kind, schema in SCHEMAS.items()}
FILES = sorted([*ROOT.glob("examples/*/*.yaml"), *ROOT.glob("tests/golden/*/in.yaml")])
DOCUMENTS = [pytest.param(one, id=f"{file.parent.name}/{file.name}") for file in FILES for one in load([str(file)])
             if one.kind in SCHEMAS]  # fmt: skip
# Values that are a text or an object have no type in a structural schema.
KEYWORDS = ("items", "additionalProperties")
UNTYPED = {"egress", "path", "versions", "headers", "cookies", "query", "claims"}


def parts(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every schema of a value, with the names of the fields that lead to it."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from parts(part, (*path, name))
    for inner in KEYWORDS:
        if inner in schema:
            yield from parts(schema[inner], (*path, inner))


def read(document: Document) -> Any:
    match document.kind:
        case "LaneGroup":
            return groups([document])
        case "Rollout":
            return check.parse(document)
        case _:
            return validate(PreviewLane, document.value, document.locate)


PARTS = [(kind, *one) for kind, schema in SCHEMAS.items() for one in parts(schema)]


def test_the_files_of_k8s_crds_are_current_golden():
    for kind, one in DEFINITIONS.items():
        file = FOLDER / f"{KINDS[kind].plural}.yaml"
        text = f"# Made by `graylane crds`; `make golden` writes it anew.\n{to_yaml([one])}"
        if os.environ.get("GRAYLANE_GOLDEN") == "rewrite":
            file.write_text(text)
        assert file.read_text() == text
    assert yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"] == [
        f"{KINDS[kind].plural}.yaml" for kind in DEFINITIONS
    ]


def test_the_command_prints_the_files(graylane):
    code, out, err = graylane("crds")
    assert (code, err) == (0, "")
    assert list(yaml.safe_load_all(out)) == [
        yaml.safe_load((FOLDER / f"{KINDS[kind].plural}.yaml").read_text()) for kind in DEFINITIONS
    ]


def test_every_value_has_one_type_or_is_said_to_have_none():
    for _, path, schema in PARTS:
        if "type" not in schema:
            kept = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-int-or-string")
            assert kept, path
            assert {"replicas", "targetPort", *UNTYPED} & {*path[-2:]}, path


def test_a_schema_has_nothing_that_kubernetes_refuses():
    for _, path, schema in PARTS:
        assert not {"$ref", "patternProperties", "const", "title", "oneOf"} & schema.keys(), path
        assert not ({"properties", "additionalProperties"} <= schema.keys()), path
        assert "(?" not in schema.get("pattern", "").replace("(?:", ""), path  # RE2 has no look-around


def test_every_field_has_a_description():
    fields = [(kind, path, schema) for kind, path, schema in PARTS if path and path[-1] not in KEYWORDS]
    bare = [
        f"{kind}.{'.'.join(path)}"
        for kind, path, schema in fields
        if path[0] in ("spec", "status") and not re.fullmatch(r"[A-Z`{0-9a-z].*\.", schema.get("description", ""))
    ]
    assert len(fields) > 300
    assert bare == []


def test_every_bound_and_default_is_of_a_field_that_there_is():
    from meshconfig.spec import LaneGroup, Rollout
    from meshconfig.spec.json_schema import json_schema, model_name

    there = {
        (model_name(name), field)
        for model in (LaneGroup, Rollout, PreviewLane)
        for name, part in json_schema(model)["$defs"].items()
        for field in part.get("properties", {})
    }
    assert {*FIELDS, *ITEMS, *DEFAULTS} - there == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_example_fits_its_schema(document):
    CHECKS[document.kind].validate(document.value)


@settings(deadline=None)
@given(specs() | outside_specs())
def test_a_group_that_compiles_fits_the_schema(value):
    try:
        groups(parse(to_yaml([value]), "in.yaml"))
    except InputError:
        return
    CHECKS["LaneGroup"].validate(value)


@pytest.mark.parametrize(
    "steps",
    [
        [{"weight": 100}],
        [{"weight": 0, "replicas": 3}, {"weight": 5, "replicas": "25%", "pause": {"for": "1h30m"}}, {"weight": 100}],
        [{"weight": 10}, {"pause": {}}, {"weight": 100}],
        [{"auto": {"from": 0, "to": 100, "add": 5, "every": "1.5d"}}],
    ],
)
def test_a_rollout_fits_the_schema(steps):
    value = rollout(steps).model_dump(mode="json", by_alias=True, exclude_unset=True)
    CHECKS["Rollout"].validate(value)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("lanes",), {}),
        (("services", "cat", "port"), 65536),
        (("services", "cat", "port"), "http"),
        (("services", "cat", "host"), "Cat_Svc"),
        (("services", "cat", "carries"), "all"),
        (("services", "cat", "rules"), [{"match": {}, "weights": {"prod": 1}}]),
        (("services", "cat", "rules"), [{"match": {"headers": {}}, "weights": {"prod": 1}}]),
        *(
            (("services", "cat", "rules"), [{"match": {"headers": {"a": one}}, "weights": {"prod": 1}}])
            for one in (5, True, ["a"], {}, {"exact": 1}, {"exact": "a", "prefix": "b"}, {"like": "a"}, {"prefix": ""})
        ),
        *(
            (("entries", 0, "routes"), [{"service": "cat", "path": one}])
            for one in (1, {}, {"prefix": "a"}, {"exact": "/a", "regex": "a"}, {"present": True})
        ),
        (("entries", 0, "hosts"), []),
        (("entries", 0, "sticky"), {"buckets": 101}),
        (("entries", 0, "sticky"), {"maxAge": "0s"}),
        (("entries", 0, "sticky"), {"maxAge": "1 day"}),
        (("consumers",), {"mail": {"topic": "mail", "versions": {"prod": {"workload": "mail"}}}}),
        (("consumers",), {"mail": {"topic": "mail", "versions": {"prod": {"name": "a", "group": "b"}}}}),
        (("services", "cat", "external"), {"egress": {"port": 80}}),
        (("limits",), {"previews": 0}),
        (("drift",), "ignore"),
    ],
)
def test_the_schema_refuses_what_is_wrong_in_a_value(path, wrong):
    value = parse((ROOT / "examples/cat-mouse/graylane.yaml").read_text(), "in.yaml")[0].value
    holder = value["spec"]
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = wrong
    assert list(CHECKS["LaneGroup"].iter_errors(value)) != []
    with pytest.raises(InputError):
        groups(parse(to_yaml([value]), "in.yaml"))


@pytest.mark.parametrize("wrong", [*REFUSED, *UNSAID], ids=lambda one: one.name)
def test_the_command_line_refuses_what_is_asked_of_an_api_server(wrong):
    (document,) = parse(to_yaml([wrong.document]), "in.yaml")
    with pytest.raises(InputError):
        read(document)


@pytest.mark.parametrize("base", [GROUP, ROLLOUT, LANE])
def test_what_the_mistakes_are_made_in_is_right(base):
    (document,) = parse(to_yaml([base]), "in.yaml")
    assert read(document)
    CHECKS[base["kind"]].validate(base)
