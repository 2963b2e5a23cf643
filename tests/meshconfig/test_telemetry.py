"""`render --telemetry`: the resources of a group, and what Istio and lint say of them."""

import os
from pathlib import Path

import pytest

from meshconfig.admission import check
from meshconfig.groups import read
from meshconfig.render import telemetries, to_yaml
from meshconfig.render.telemetry import LABEL

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*/telemetry.yaml"))
PETS = """
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: {name}, namespace: demo}}
spec:
  lanes: {{prod: {{}}, {lane}: {{}}}}
  services:
    {service}: {{host: {service}-svc, port: 80, versions: {{prod: {{labels: {{env: prod}}}}}}}}
"""


def pets(folder: Path, name: str = "pets", lane: str = "gray", service: str = "cat") -> str:
    file = folder / f"{name}.yaml"
    file.write_text(PETS.format(name=name, lane=lane, service=service))
    return str(file)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.parent.name)
def test_telemetry_renders_to_the_same_bytes(golden: Path) -> None:
    text = to_yaml(telemetries(read([str(golden.with_name("in.yaml"))]), "v1"))
    if os.environ.get("GRAYLANE_GOLDEN") == "rewrite":
        golden.write_text(text)
    assert golden.read_text() == text


def test_istio_takes_every_telemetry_that_is_rendered() -> None:
    specs = [*ROOT.glob("examples/*/graylane*.yaml"), *ROOT.glob("tests/golden/*/in.yaml")]
    made = [one for spec in specs for one in telemetries(read([str(spec)]), "v1")]
    assert len(made) >= len(specs) > 3
    assert [found for one in made for found in check(one, one["metadata"]["namespace"])] == []


def test_the_telemetry_stands_beside_the_routes_and_only_if_it_is_asked_for(tmp_path, graylane) -> None:
    file = pets(tmp_path)
    _, plain, _ = graylane("render", "-f", file)
    code, text, _ = graylane("render", "-f", file, "--telemetry")
    assert code == 0
    added = text.removeprefix(plain)
    assert added.startswith("---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\n")
    assert added.count("---\n") == 1


def test_an_older_istio_gets_the_api_version_that_it_serves(tmp_path, graylane) -> None:
    _, text, _ = graylane("render", "-f", pets(tmp_path), "--telemetry", "--istio-api", "v1beta1")
    assert "apiVersion: telemetry.istio.io/v1alpha1\n" in text


@pytest.mark.parametrize("lane", ["other", "none"])
def test_a_lane_that_is_called_as_no_lane_is_refused_where_it_is_written(tmp_path, graylane, lane: str) -> None:
    file = pets(tmp_path, lane=lane)
    code, out, said = graylane("render", "-f", file, "--telemetry")
    assert (code, out) == (2, "")
    assert said.startswith(f"{file}:6: spec.lanes.{lane}: --telemetry counts requests of no lane as {lane}")
    assert graylane("render", "-f", file)[0] == 0


def test_two_groups_of_one_namespace_are_refused(tmp_path, graylane) -> None:
    files = ["-f", pets(tmp_path), "-f", pets(tmp_path, "zoo", service="dog")]
    code, _, said = graylane("render", *files, "--telemetry")
    assert code == 2
    assert "groups pets and zoo both have services in namespace demo" in said
    assert graylane("render", *files)[0] == 0


def test_a_telemetry_of_somebody_is_checked_by_lint(tmp_path, graylane) -> None:
    file = tmp_path / "telemetry.yaml"
    text = "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {name: a, namespace: demo}\nspec:\n"
    file.write_text(text + "  metrics:\n  - overrides:\n    - tagOverride: {lane: {value: request.host}}\n")
    code, out, _ = graylane("lint", file)
    assert code == 1
    assert "telemetry.yaml:7: error GL701" in out
    assert "did you mean tagOverrides?" in out


def test_the_label_and_the_attribute_have_one_name(tmp_path: Path) -> None:
    (one,) = telemetries(read([pets(tmp_path)]), "v1")
    assert list(one["spec"]["metrics"][0]["overrides"][0]["tagOverrides"]) == [LABEL]
    assert list(one["spec"]["tracing"][0]["customTags"]) == [LABEL]
