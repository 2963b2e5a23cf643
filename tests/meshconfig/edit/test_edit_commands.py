"""The commands on files: what is written, what is shown, and that no error costs anything."""

import json
import os
import stat
from pathlib import Path

import pytest
import yaml

from meshconfig.cli import edit_files
from meshconfig.lint import Finding, Level

ROOT = Path(__file__).parents[3]
STORY = ROOT / "examples" / "ack-weights" / "graylane-1-v2-at-70.yaml"


@pytest.fixture
def spec(tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_bytes(STORY.read_bytes())
    file.chmod(0o640)
    return file


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_file_is_written_with_its_mode_and_the_diff_is_shown(graylane, spec):
    before = spec.read_text()
    code, out, err = graylane("version", "weights", "product", "v1=80", "v2=20", "-f", spec)
    assert (code, err) == (0, "")
    assert spec.read_text() == before.replace("v1: 30, v2: 70", "v1: 80, v2: 20")
    assert stat.S_IMODE(spec.stat().st_mode) == 0o640
    assert [line for line in out.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")] == [
        "-      weights: {v1: 30, v2: 70}",
        "+      weights: {v1: 80, v2: 20}",
    ]
    assert list(files(spec.parent)) == ["spec.yaml"]
    assert graylane("version", "weights", "product", "v1=80", "v2=20", "-f", spec) == (
        0, "", "no change: the files say this already\n",
    )  # fmt: skip


def test_a_link_stays_one(graylane, spec):
    link = spec.parent / "link.yaml"
    link.symlink_to(spec)
    assert graylane("lane", "add", "blue", "-f", link, "--versions", "product=v2")[0] == 0
    assert link.is_symlink()
    assert "blue: {versions: {product: v2}}" in spec.read_text()
    assert graylane("lane", "remove", "blue", "-f", link)[0] == 0
    assert spec.read_bytes() == STORY.read_bytes()


def test_a_dry_run_writes_nothing(graylane, spec):
    code, out, _ = graylane("version", "takeover", "product", "v2", "-f", spec, "--dry-run")
    assert code == 0
    assert "+      default: v2" in out
    assert files(spec.parent) == {"spec.yaml": STORY.read_bytes()}


def test_a_program_gets_json(graylane, spec):
    code, out, err = graylane("version", "takeover", "product", "v2", "-f", spec, "--output", "json")
    said = json.loads(out)
    assert (code, err) == (0, "")
    assert [one["file"] for one in said["files"]] == [str(spec)]
    assert "+      default: v2" in said["files"][0]["diff"]
    assert (said["notes"], said["dryRun"], said["applied"]) == ([], False, None)


ADD = "version add product"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("version weights prodct v1=1", 2, "{f}:7: spec.services: there is no service prodct; did you mean product?"),
        ("version weights product v1", 2, "weights: takes VERSION=N, not 'v1'"),
        ("version weights product v1=1 v1=2", 2, "weights: v1 is given twice"),
        ("version weights product v1=-1", 2, "v1=-1: a weight is a whole number of 0 or more"),
        ("version weights product v1=99999999999", 2, "nothing was written, as the spec would be wrong"),
        ("version takeover product v9", 2, "{f}:11: spec.services.product.versions: there is no version of product v9"),
        ("version retire product v1", 2, "{f}:14: spec.services.product.weights.v1: product v1 is in use"),
        ("version retire product v1 --delete-workload", 2, "{f}:14: spec.services.product.weights.v1"),
        (f"{ADD} v3 --from v0", 2, "{f}:11: spec.services.product.versions: there is no version of product v0"),
        (f"{ADD} v2 --from v1", 2, "--label: Pods with app=product, version=v2 may be of version v2 too"),
        (f"{ADD} V3 --from v1", 2, "nothing was written, as the spec would be wrong"),
        (f"{ADD} v3 --from v1 --image x", 2, "--image: needs --apply"),
        (f"{ADD} v3 --from v1 --replicas 2", 2, "--replicas, --manifests: apply to the Deployment"),
        (f"{ADD} v3 --from v1 --autoscale 3", 2, "--autoscale: takes MIN,MAX or MIN,MAX,CPU, not '3'"),
        (f"{ADD} v3 --from v1 --autoscale 3,1", 2, "--autoscale: min 3 is above max 1"),
        (f"{ADD} v3 --from v1 --label x", 2, "--label: takes KEY=VALUE, not 'x'"),
        (f"{ADD} v3 --from v1 --image x --apply", 1, "graylane: no cluster"),
        ("version weights product v1=1 --apply", 1, "graylane: no cluster"),
        ("lane add prod", 2, "{f}:6: spec.lanes.prod: lane prod exists already"),
        ("lane add x --versions product", 2, "--versions: takes SERVICE=VERSION, not 'product'"),
        ("lane remove prd", 2, "{f}:6: spec.lanes: there is no lane prd; did you mean prod?"),
        ("lane remove prod --group prodct", 2, "--group: there is no group prodct; did you mean product?"),
    ],
)
def test_an_error_says_where_and_costs_nothing(graylane, spec, arguments, code, said):
    found, out, err = graylane(*arguments.split(), "-f", spec)
    assert (found, out if code == 2 else "") == (code, "")
    assert err.startswith(said.format(f=spec)), err
    assert files(spec.parent) == {"spec.yaml": STORY.read_bytes()}


def test_several_groups_are_told_apart_by_name(graylane, spec):
    other = spec.with_name("other.yaml")
    other.write_text(STORY.read_text().replace("name: product, namespace: shop", "name: two, namespace: here"))
    given = ["-f", spec, "-f", other]
    code, _, err = graylane("version", "weights", "product", "v1=1", *given)
    assert (code, err) == (2, "--group: groups shop/product and here/two have a service product: choose one\n")
    assert graylane("version", "weights", "product", "v1=1", *given, "--group", "here/two")[0] == 0
    assert spec.read_bytes() == STORY.read_bytes()
    assert "weights: {v1: 1}" in other.read_text()


def test_standard_input_is_not_edited(graylane):
    assert graylane("lane", "add", "x", "-f", "-") == (2, "", "-: standard input cannot be edited: name the file\n")


def test_what_lint_calls_an_error_is_not_written(graylane, spec, monkeypatch):
    def finds(subject):
        location = subject.groups[0].locate(("spec", "lanes"))
        wrong = Finding(location, "GL000", "spec.lanes", "wrong", "LaneGroup shop/product", Level.ERROR)
        return [wrong] if "blue" in subject.groups[0].spec.spec.lanes else []

    monkeypatch.setattr("meshconfig.edit_check.lint", finds)
    code, out, err = graylane("lane", "add", "blue", "-f", spec)
    assert (code, out) == (1, "")
    assert err.startswith("graylane: nothing was written, because lint reports errors")
    assert files(spec.parent) == {"spec.yaml": STORY.read_bytes()}


def test_a_file_that_somebody_else_wrote_meanwhile_stays_theirs(graylane, spec, monkeypatch):
    real = edit_files.Staged.stage

    def meanwhile(self):
        real(self)
        spec.write_text("# mine\n")

    monkeypatch.setattr(edit_files.Staged, "stage", meanwhile)
    code, _, err = graylane("lane", "add", "blue", "-f", spec)
    assert (code, err.splitlines()[-1]) == (
        2,
        f"{spec}: was changed by another process in the meantime: nothing was written",
    )
    assert files(spec.parent) == {"spec.yaml": b"# mine\n"}


def test_of_two_files_both_are_written_or_none(graylane, spec, monkeypatch):
    head = "apiVersion: graylane/v1\nkind: LaneGroup\nmetadata: {name: product, namespace: shop}\nspec:\n"
    other = spec.with_name("z.yaml")
    spread = STORY.read_text().replace("graylane.dev/v1", "graylane/v1")  # where a group may be spread over files
    spec.write_text(spread.replace("lanes: {prod: {}}", "lanes: {prod: {versions: {product: v1}}}"))
    other.write_text(head + "  lanes: {prod: {versions: {product: v1}}}\n")
    before = files(spec.parent)
    real = Path.replace

    def fails(self, target):
        if Path(target).name == "z.yaml":
            raise OSError(28, "No space left on device", str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", fails)
    code, _, err = graylane("version", "takeover", "product", "v2", "-f", spec, "-f", other)
    assert (code, err.splitlines()[-1]) == (2, f"{other}: No space left on device")
    assert files(spec.parent) == before
    monkeypatch.undo()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_may_not_be_written_is_told(graylane, spec):
    spec.chmod(0o440)
    code, _, err = graylane("lane", "add", "blue", "-f", spec)
    assert (code, err.splitlines()[-1]) == (2, f"{spec}: Permission denied")


def test_a_new_version_s_deployment_is_written_beside_the_old_one(graylane, tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text((ROOT / "examples" / "cat-mouse" / "graylane.yaml").read_text())
    manifests = tmp_path / "k8s"
    manifests.mkdir()
    old = (ROOT / "k8s" / "demo" / "cat.yaml").read_text()
    (manifests / "cat.yaml").write_text(old)
    given = ["version", "add", "cat", "v2", "-f", spec, "--from", "prod", "--image", "cat:2", "--manifests", manifests]
    code, _, err = graylane(*given, "--autoscale", "1,5,70")
    assert code == 0, err
    assert "note: cat-dp-v2 still names the old version in cat: args --env=prod" in err
    assert "v2: {labels: {env: v2}, workload: cat-dp-v2, autoscale: {min: 1, max: 5, cpu: 70}}" in spec.read_text()
    assert (manifests / "cat.yaml").read_text() == old
    (made,) = yaml.safe_load_all((manifests / "cat-dp-v2.yaml").read_text())
    _, before, _ = yaml.safe_load_all(old)
    assert made["metadata"] == {"name": "cat-dp-v2", "namespace": "demo", "labels": {"app": "cat-dp", "env": "v2"}}
    assert made["spec"]["selector"] == {"matchLabels": {"app": "cat-dp", "env": "v2"}}
    assert made["spec"]["template"]["metadata"] == {"labels": {"app": "cat-dp", "env": "v2"}}
    assert "replicas" not in made["spec"]
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert container == {**before["spec"]["template"]["spec"]["containers"][0], "image": "cat:2"}
    # In the hand of the old one, comments and all.
    assert (
        "# Callers hear with a delay that this Pod is gone; until then it serves as before."
        in (manifests / "cat-dp-v2.yaml").read_text()
    )
    again = ["version", "add", "cat", "v3", *given[4:], "--workload", "cat-dp-v2"]
    code, _, err = graylane(*again)
    assert (code, err.splitlines()[-1]) == (
        2, f"{manifests / 'cat-dp-v2.yaml'}: exists already: move it away, or choose another --workload",
    )  # fmt: skip


def test_a_directory_without_the_deployment_is_told(graylane, spec, tmp_path):
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s" / "x.yaml").write_text("kind: Deployment\nmetadata: {name: product-v1, namespace: other}\n")
    code, _, err = graylane(
        "version", "add", "product", "v3", "-f", spec, "--from", "v1", "--image", "x", "--manifests", tmp_path / "k8s"
    )
    assert (code, err) == (2, f"{tmp_path / 'k8s'}: no Deployment product-v1 of namespace shop in its files\n")
