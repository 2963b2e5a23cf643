"""`graylane render -o DIR`: the directory is what the specs say, and nobody else's file in it is touched."""

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from meshconfig.cli import main, render_files
from meshconfig.cli.render_files import compare
from meshconfig.compile import compile_group
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.render import render

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "examples" / "cat-mouse" / "graylane.yaml"
CAT, GATEWAY = "demo.virtualservice.cat-svc.yaml", "demo.gateway.cat-example-com.yaml"


@pytest.fixture
def graylane(monkeypatch, capsys):
    """Run `graylane render`; gives its exit code and what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["graylane", "render", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return SimpleNamespace(code=stopped.value.code or 0, out=printed.out, err=printed.err)

    return run


@pytest.fixture
def spec(tmp_path):
    """Writes the example's spec, some of it replaced."""

    def written(name="spec.yaml", **replaced):
        text = SPEC.read_text()
        for old, new in replaced.items():
            text = text.replace(old, new)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return written


@pytest.fixture
def mesh(tmp_path, graylane, spec):
    """A directory rendered from the example."""
    graylane("-f", spec(), "-o", tmp_path / "mesh")
    return tmp_path / "mesh"


def names(directory):
    return sorted(file.name for file in directory.iterdir())


def contents(directory):
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in directory.iterdir()}


def without_mouse(path):
    value = yaml.safe_load(path.read_text())
    del value["spec"]["services"]["mouse"], value["spec"]["services"]["cat"]["calls"]
    path.write_text(yaml.safe_dump(value, sort_keys=False))
    return path


def test_rendering_again_writes_nothing(graylane, spec, mesh):
    before = contents(mesh)
    done = graylane("-f", spec(), "-o", mesh)
    assert (done.code, done.out) == (0, "")
    assert "0 written, 6 unchanged, 0 removed" in done.err
    assert contents(mesh) == before


def test_only_what_differs_is_written(graylane, spec, mesh):
    (mesh / CAT).write_text((mesh / CAT).read_text() + "# by hand\n")
    (mesh / GATEWAY).unlink()
    before = contents(mesh)
    done = graylane("-f", spec(), "-o", mesh)
    assert "2 written, 4 unchanged, 0 removed" in done.err
    after = contents(mesh)
    assert {name for name in after if after[name] != before.get(name)} == {CAT, GATEWAY}
    assert "by hand" not in (mesh / CAT).read_text()


def test_what_is_no_longer_rendered_goes(graylane, spec, mesh):
    done = graylane("-f", without_mouse(spec()), "-o", mesh)
    assert done.code == 0
    assert "2 removed" in done.err
    assert not any("mouse" in name for name in names(mesh))
    assert len(names(mesh)) == 4


def test_files_of_other_people_stay(graylane, spec, mesh):
    old = (mesh / CAT).read_text().replace("name: cat-svc", "name: old", 1)
    others = {
        "notes.txt": "app.kubernetes.io/managed-by: graylane",
        "kustomization.yaml": "resources: [demo.gateway.cat-example-com.yaml]",
        "demo.virtualservice.hand.yaml": "kind: VirtualService\nmetadata: {name: hand, namespace: demo}",
        # graylane's, but renamed, or with a second document, or another group's.
        "copy-of-old.yaml": old,
        "demo.virtualservice.old.yml": old,
        "demo.virtualservice.two.yaml": old.replace("name: old", "name: two") + "---\nkind: Secret\n",
        "demo.virtualservice.old.yaml": old.replace("group: pets", "group: birds"),
        # Nothing that can be read as resources at all.
        "demo.virtualservice.odd.yaml": "graylane.dev/group: [",
        "demo.virtualservice.list.yaml": "- graylane.dev/group\n",
        "demo.virtualservice.labels.yaml": "metadata: {labels: [graylane.dev/group]}",
        "demo.virtualservice.number.yaml": "metadata: {name: 1, labels: "
        "{app.kubernetes.io/managed-by: graylane, graylane.dev/group: 3}}",
    }
    for name, text in others.items():
        (mesh / name).write_text(text)
    (mesh / "demo.virtualservice.bytes.yaml").write_bytes(b"\xff graylane.dev/group")
    (mesh / "demo.virtualservice.folder.yaml").mkdir()
    os.mkfifo(mesh / "demo.virtualservice.pipe.yaml")
    (mesh / "demo.virtualservice.nowhere.yaml").symlink_to("nowhere")
    (mesh / "demo.virtualservice.link.yaml").symlink_to("copy-of-old.yaml")
    before = names(mesh)
    done = graylane("-f", spec(), "-o", mesh)
    assert (done.code, done.err) == (0, f"{mesh}: 0 written, 6 unchanged, 0 removed\n")
    assert names(mesh) == before
    assert {name: (mesh / name).read_text() for name in others} == others
    assert graylane("-f", spec(), "-o", mesh, "--check").code == 0


def test_a_link_to_a_file_of_ours_stays(graylane, spec, mesh, tmp_path):
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text((mesh / CAT).read_text().replace("name: cat-svc", "name: old", 1))
    (mesh / "demo.virtualservice.old.yaml").symlink_to(elsewhere)
    assert "0 removed" in graylane("-f", spec(), "-o", mesh).err
    assert (mesh / "demo.virtualservice.old.yaml").is_symlink()


def test_groups_that_share_a_directory_keep_their_files(graylane, spec, mesh):
    birds = {"name: pets": "name: birds", "cat-svc": "owl-svc", "mouse-svc": "wren-svc", "cat.example": "owl.example"}
    before = names(mesh)
    assert "0 removed" in graylane("-f", spec("birds.yaml", **birds), "-o", mesh).err
    assert set(before) < set(names(mesh))
    assert "2 removed" in graylane("-f", without_mouse(spec()), "-o", mesh).err
    assert "demo.virtualservice.wren-svc.yaml" in names(mesh)


def test_groups_of_one_name_in_two_namespaces_keep_theirs(graylane, spec, mesh):
    before = names(mesh)
    staging = {"namespace: demo": "namespace: staging"}
    done = graylane("-f", spec("staging.yaml", **staging), "-o", mesh)
    assert "6 written, 0 unchanged, 0 removed" in done.err
    assert "left alone, a group of the same name in another namespace may have written it: demo.d" in done.err
    assert set(before) < set(names(mesh))
    # Both now: each has its own namespace, and what neither renders goes.
    both = ["-f", without_mouse(spec()), "-f", without_mouse(spec("staging.yaml", **staging)), "-o", mesh]
    done = graylane(*both)
    assert "0 written, 8 unchanged, 4 removed" in done.err
    assert "left alone" not in done.err


def test_a_resource_in_another_namespace_is_not_removed_but_told(graylane, spec, mesh):
    graylane("-f", spec(), "-o", mesh, "--ingress")
    ingress = "istio-system.ingress.cat-example-com.yaml"
    assert ingress in names(mesh)
    done = graylane("-f", spec(), "-o", mesh)
    assert "0 removed" in done.err
    assert f"left alone, a group of the same name in another namespace may have written it: {ingress}" in done.err
    assert ingress in names(mesh)


def test_a_sidecar_that_is_no_longer_asked_for_goes(graylane, spec, mesh):
    graylane("-f", spec(), "-o", mesh, "--sidecar")
    assert "demo.sidecar.default.yaml" in names(mesh)
    graylane("-f", spec(), "-o", mesh)
    assert "demo.sidecar.default.yaml" not in names(mesh)


@pytest.mark.parametrize("text", ["# mine\nkind: VirtualService\n", "group: pets", "\0", "- 1", "{", "\udcff"])
def test_a_file_that_is_not_graylanes_is_not_overwritten(graylane, spec, mesh, text):
    (mesh / CAT).write_text(text, errors="surrogateescape")
    (mesh / GATEWAY).write_text((mesh / GATEWAY).read_text().replace("group: pets", "group: birds"))
    (mesh / "demo.destinationrule.cat-svc.yaml").unlink()
    before = contents(mesh)
    done = graylane("-f", spec(), "-o", mesh)
    assert done.code == 2
    assert done.err.splitlines() == [
        f"{mesh / name}: was not written by graylane for the group pets, and would be overwritten: move it away"
        for name in (GATEWAY, CAT)
    ]
    assert contents(mesh) == before


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.symlink_to("nowhere"), os.mkfifo])
def test_what_is_no_file_is_not_overwritten(graylane, spec, mesh, make):
    (mesh / CAT).unlink()
    make(mesh / CAT)
    done = graylane("-f", spec(), "-o", mesh)
    assert (done.code, done.err) == (
        2,
        f"{mesh / CAT}: is no plain file, and would be overwritten: move it away\n",
    )


def test_a_merge_conflict_is_rendered_over(graylane, spec, mesh):
    wanted = (mesh / CAT).read_text()
    conflict = "<<<<<<< HEAD\n- name: gray\n=======\n- name: grey\n>>>>>>> other\n"
    (mesh / CAT).write_text(wanted.replace("  http:\n", f"  http:\n{conflict}"))
    assert "1 written" in graylane("-f", spec(), "-o", mesh).err
    assert (mesh / CAT).read_text() == wanted


@pytest.mark.parametrize("text", ["", "# nothing here\n"])
def test_an_empty_file_is_rendered_over(graylane, spec, mesh, text):
    (mesh / CAT).write_text(text)
    assert "1 written" in graylane("-f", spec(), "-o", mesh).err


def test_a_file_keeps_its_mode(graylane, spec, mesh):
    (mesh / CAT).write_text("")
    (mesh / CAT).chmod(0o640)
    graylane("-f", spec(), "-o", mesh)
    assert (mesh / CAT).stat().st_mode & 0o777 == 0o640
    plain = mesh / "plain"
    plain.touch()
    assert (mesh / GATEWAY).stat().st_mode == plain.stat().st_mode


def test_a_write_that_fails_leaves_the_file_as_it_was(graylane, spec, mesh, monkeypatch):
    before = contents(mesh)

    def full(self, target):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", full)
    done = graylane("-f", spec(**{"labels: {env": "labels: {tier"}), "-o", mesh)
    assert done.code == 2
    assert done.err.endswith("No space left on device\n")
    assert contents(mesh) == before


def test_a_directory_that_cannot_be_one_is_told(graylane, spec, tmp_path):
    (tmp_path / "file").touch()
    for arguments in ([], ["--check"]):
        done = graylane("-f", spec(), "-o", tmp_path / "file", *arguments)
        assert done.code == 2
        assert "Not a directory" in done.err
        assert len(done.err.splitlines()) == 1


def test_check_says_that_a_directory_is_current(graylane, spec, mesh):
    done = graylane("-f", spec(), "-o", mesh, "--check")
    assert (done.code, done.out, done.err) == (0, "", f"{mesh} is up to date: 6 files\n")


def test_check_tells_what_is_not_current_and_writes_nothing(graylane, spec, mesh):
    (mesh / "demo.virtualservice.old.yaml").write_text((mesh / CAT).read_text().replace("cat-svc", "old", 1))
    (mesh / CAT).write_text((mesh / CAT).read_text().replace("name: gray", "name: grey", 1))
    (mesh / GATEWAY).unlink()
    before = contents(mesh)
    done = graylane("-f", spec(), "-o", mesh, "--check")
    assert done.code == 1
    assert contents(mesh) == before
    lines = done.out.splitlines()
    assert lines[0] == f"missing: {mesh / GATEWAY}"
    assert lines[1:3] == [f"--- {mesh / CAT}", f"+++ {mesh / CAT} (rendered)"]
    assert [line for line in lines[3:] if line[0] in "+-"] == ["-  - name: grey", "+  - name: gray"]
    assert lines[-1] == f"superfluous: {mesh / 'demo.virtualservice.old.yaml'}"
    assert f"{mesh} is out of date: 1 missing, 1 different, 1 superfluous" in done.err
    graylane("-f", spec(), "-o", mesh)
    assert graylane("-f", spec(), "-o", mesh, "--check").code == 0


def test_check_of_a_directory_that_is_not_there_makes_none(graylane, spec, tmp_path):
    done = graylane("-f", spec(), "-o", tmp_path / "mesh", "--check")
    assert done.code == 1
    assert "6 missing" in done.err
    assert not (tmp_path / "mesh").exists()


def test_a_long_difference_is_cut(graylane, spec, mesh):
    (mesh / CAT).write_text((mesh / CAT).read_text() + "# one more\n" * 100)
    lines = graylane("-f", spec(), "-o", mesh, "--check").out.splitlines()
    assert len(lines) == render_files.MOST_LINES + 1
    assert lines[-1].endswith(" more lines")


def test_check_needs_a_directory(graylane, spec):
    done = graylane("-f", spec(), "--check")
    assert (done.code, done.out) == (2, "")
    assert done.err == "--check: needs -o DIR, the directory to check\n"


def model(services, group, namespace):
    lines = [
        f"    {name}: {{host: {host}, port: 80, versions: {{prod: {{labels: {{v: a}}}}}}}}" for name, host in services
    ]
    header = f"apiVersion: graylane/v1\nkind: LaneGroup\nmetadata: {{name: {group}, namespace: {namespace}}}\n"
    (found,) = groups(parse("\n".join([header + "spec:\n  lanes: {prod: {}}\n  services:", *lines]), "spec"))
    return compile_group(found.spec)


HOSTS = st.sets(st.sampled_from("abcdef"), min_size=1)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["pets", "birds"]), st.sampled_from(["demo", "shop"]), HOSTS), max_size=6))
def test_each_group_has_what_it_last_rendered(tmp_path_factory, runs):
    """Groups in any namespaces, rendered one after the other into one directory, each time with other services."""
    directory = tmp_path_factory.mktemp("mesh")
    last = {}
    for group, namespace, hosts in runs:
        one = model([(host, f"{group}-{host}") for host in sorted(hosts)], group, namespace)
        render_files.write(compare(render([one]), [one], directory))
        last[group, namespace] = {f"{namespace}.{kind}.{group}-{host}.yaml" for host in hosts for kind in KINDS}
    assert set(names(directory)) == set().union(*last.values())


KINDS = ("virtualservice", "destinationrule")


def test_what_the_page_on_gitops_shows_is_yaml():
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "gitops.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) > 3
    for block in blocks:
        (document,) = parse(block, "gitops.md")
        assert {"spec", "patches", "data"} & document.value.keys()


@pytest.mark.parametrize("header", ["x-lane", "X-Lane"])
@pytest.mark.parametrize("directory", [True, False])
def test_another_header_than_env_is_named_with_the_variable_that_services_need(
    graylane, spec, tmp_path, header, directory
):
    where = ["-o", tmp_path / "out"] if directory else []
    done = graylane("-f", spec(**{"tag: {header: env, default: prod}": f"tag: {{header: {header}}}"}), *where)
    assert done.code == 0
    assert "note: demo/pets: the tag's header is x-lane, so set PROPAGATION_REMOTE_FIELDS=x-lane in" in done.err
    assert "note" not in done.out


def test_the_header_env_needs_no_note(graylane, spec):
    assert graylane("-f", spec()).err == ""
