"""What is too large, too deep or read in two ways ends in one line with its place, before the memory is taken."""

import io
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from meshconfig import bounded, load, yaml_nodes
from meshconfig.bounded import DEPTH, FILE_BYTES, FILE_VALUES, Room, TooMuchError
from meshconfig.compile.check import newer_problems
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.spec.group import ALWAYS_TAKEN, TAKEN
from propagation.config import RESERVED

ROOT = Path(__file__).parents[2]
SPEC = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}}
  services:
    cat:
      host: cat-svc
      port: 9001
      versions: {prod: {labels: {env: prod}}, gray: {labels: {env: gray}}}
"""
TEN = "x,x,x,x,x,x,x,x,x,x"


def laughs(levels, value="[{}]", merge=False):
    """Lists of ten aliases of lists of ten aliases …; with `merge`, mappings under merge keys."""
    if merge:
        keys = ", ".join(f"k{n}: x" for n in range(10))
        lines = [f"a0: &a0 {{{keys}}}"]
        lines += [
            f"a{n}: &a{n} {{<<: *a{n - 1}, " + ", ".join(f"m{n}{k}: *a{n - 1}" for k in range(10)) + "}"
            for n in range(1, levels)
        ]
    else:
        lines = [f"a0: &a0 [{TEN}]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def said(text, file="in.yaml"):
    with pytest.raises(InputError) as error:
        parse(text, file)
    (problem,) = error.value.problems
    assert "\n" not in str(problem)
    return str(problem)


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize(
    "end",
    [
        "apiVersion: graylane/v1\nkind: *a9\n",
        "apiVersion: *a9\nkind: LaneGroup\n",
        "apiVersion: v1\nkind: Service\nmetadata: {name: cat, labels: *a9}\n",
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nspec: {http: *a9}\n",
        "on: push\njobs: *a9\n",
        "",
    ],
)
def test_aliases_of_aliases_are_refused_where_they_become_too_many(merge, end):
    text = laughs(10, merge=merge) + end
    assert re.match(r"in\.yaml:[5-9]: its aliases stand for more than 2,000,000 values", said(text))


def test_aliases_that_stand_for_too_much_text_are_refused():
    text = f"a: &a {'x' * 100_000}\nb: &b [{', '.join(['*a'] * 100)}]\nc: [{', '.join(['*b'] * 10)}]\n"
    assert said(text).startswith("in.yaml:3: its aliases stand for more than 64 MiB of text")


def test_aliases_that_nest_too_deeply_are_refused():
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, DEPTH + 10))]
    assert said("\n".join(lines)) == (
        f"in.yaml:{DEPTH + 1}: nested too deeply by aliases: more than 100 lists and mappings in each other"
    )


def test_aliases_within_bounds_are_read_as_before():
    shared = "labels: &labels {env: prod}\nall: [*labels, *labels]\nmore: {<<: *labels, v: '1'}\n"
    (document,) = parse(f"kind: A\n{shared}", "in.yaml")
    env = {"env": "prod"}
    assert document.value == {"kind": "A", "labels": env, "all": [env, env], "more": {**env, "v": "1"}}


def test_many_merge_keys_are_one_mapping():
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], own: 3, z: 4}\n"
    (document,) = parse(text, "in.yaml")
    assert document.value["c"] == {"x": 1, "y": 1, "z": 4, "own": 3}


@pytest.mark.parametrize("opened", ["[", "{a: ", "- ", "{? "])
@pytest.mark.parametrize("over", [0, 1, 30_000])
def test_the_depth_is_bounded_before_anything_recurses(opened, over):
    closed = {"[": "]", "{a: ": "}", "- ": "", "{? ": "}"}[opened]
    # The mapping at the root is one level, unless the text is a list itself.
    levels = DEPTH - (opened != "- ")
    count = levels + over
    text = f"{'' if opened == '- ' else 'kind: '}{opened * count}x{closed * count}\n"
    if over:
        assert "nested too deeply" in said(text)
    elif opened != "{? ":
        assert parse(text, "in.yaml")


def test_deep_json_is_refused_with_its_line():
    text = '{"kind": "A",\n"x": ' + "[" * 100_000 + "]" * 100_000 + "}"
    assert said(text, "in.json").startswith("in.json:2: nested too deeply")


@given(st.integers(1, 60), st.integers(1, 60))
def test_values_are_counted_over_all_files(first, second):
    room = Room(values=first + second + 5)
    for count in (first, second):
        parse(f"[{', '.join('x' * count)}]", "in.yaml", room)
    assert room.values == 3
    with pytest.raises(InputError, match=r"^in\.yaml:[12]: more than 2,000,000 values"):
        parse("a: 1\nb: 2\n", "in.yaml", room)


def test_tags_do_not_hide_values_from_the_count():
    with pytest.raises(InputError, match="more than"):
        parse("[!a x, !a x, !!str x, !b [!c y]]", "in.yaml", Room(values=4))


def test_documents_are_counted_over_all_files():
    room = Room(documents=5)
    parse("a\n---\nb\n", "one.yaml", room)
    with pytest.raises(InputError, match=r"^two\.yaml:5: more than 100,000 documents"):
        parse("a\n---\nb\n---\nc\n---\nd\n", "two.yaml", room)


class TestBytes:
    def test_a_file_is_read_no_further_than_its_bound(self, tmp_path, monkeypatch):
        monkeypatch.setattr(load, "Room", lambda: Room(bytes=30))
        (tmp_path / "a.yaml").write_text("a: 1\n" * 4)
        (tmp_path / "b.yaml").write_text("b: 1\n" * 6)
        with pytest.raises(InputError, match=r"b\.yaml:3: has more than 64 MiB, together with the files before it"):
            load.load([str(tmp_path)])

    def test_endless_input_ends(self):
        class Endless(io.BytesIO):
            taken = 0

            def read(self, size=-1):
                assert size >= 0
                self.taken += size
                return b"\n" * size

        stream = Endless()
        with pytest.raises(TooMuchError, match="has more than 64 MiB: read it in parts") as error:
            bounded.read_all(stream, Room())
        assert stream.taken == FILE_BYTES + 1
        assert error.value.line == FILE_BYTES + 1


def ported(port):
    return SPEC.replace("9001", port)


class TestNumbers:
    @pytest.mark.parametrize("port", ["9001", "0x2329", "+9001"])
    def test_what_every_reader_takes_for_the_same_number_is_a_number(self, port):
        (group,) = groups(parse(ported(port), "g.yaml"))
        assert group.spec.spec.services["cat"].port == 9001

    @pytest.mark.parametrize(
        ("port", "wrong"),
        [
            ("150:1", "takes a whole number, not '150:1'"),  # base 60 in YAML 1.1
            ("2:30:01", "takes a whole number, not '2:30:01'"),
            ("021451", "021451 is 9001 to some readers of YAML, and to others another number or a text"),
            ("010", "write 8"),
            ("9_001", "write 9001"),
            ("0b10001100101001", "write 9001"),
            ("0o21451", "takes a whole number, not '0o21451'"),
            ("9001.0", "takes a whole number, not 9001.0"),
            ("9.001e+3", "takes a whole number, not 9001.0"),
            ("9001e0", "takes a whole number, not '9001e0'"),
            (".inf", ".inf is no number in JSON"),
            (".nan", ".nan is no number in JSON"),
            ("1.0e+999", "1.0e+999 is no number in JSON"),
            ("18446744073709551616", "is beyond a number of 64 bits"),
            ("9" * 50_000, "… is beyond a number of 64 bits"),
            ("0x" + "f" * 50_000, "… is beyond a number of 64 bits"),
            ("1." + "9" * 50_000, "… is beyond a number of 64 bits"),
            ('"\\ud83d"', "not YAML: while parsing a quoted scalar found invalid Unicode"),
            ("!!int x", "'x' is no int"),
        ],
    )
    def test_odd_notations_are_one_line_with_their_place(self, port, wrong):
        with pytest.raises(InputError) as error:
            groups(parse(ported(port), "g.yaml"))
        (problem,) = error.value.problems
        assert problem.location.line == 9
        assert wrong in str(problem)
        assert len(str(problem)) < 300

    def test_in_resources_of_others_they_are_what_kubectl_reads(self):
        (document,) = parse("kind: Service\nspec: {a: 150:1, b: 010, c: 1_000, d: 1.5}\n", "in.yaml")
        assert document.value["spec"] == {"a": "150:1", "b": 8, "c": 1000, "d": 1.5}

    def test_long_values_do_not_fill_the_message(self):
        for given_ in ("x" * 1_000_000, f"[{'y, ' * 1000}]"):
            with pytest.raises(InputError) as error:
                groups(parse(ported(given_), "g.yaml"))
            assert len(str(error.value)) < 2500


class TestSurrogates:
    @given(st.text(st.characters(codec="utf-8"), max_size=20), st.booleans())
    def test_json_is_read_as_json(self, text, indent):
        value = {"kind": "A", "x": text, "y": [f"\\{text}", f"\\\\{text}"], f"k{text}": 1}
        (document,) = parse(json.dumps(value, indent=2 if indent else None), "in.json")
        assert document.value == value

    def test_lines_stay_what_they_are(self):
        text = json.dumps({"kind": "A", "x": "\U0001f600", "spec": {"y": 1}}, indent=1)
        (document,) = parse(text, "in.json")
        assert document.locate(("spec", "y")).line == 5

    @pytest.mark.parametrize("text", ['{"a": "\\ud83d"}', '{"a": "\\ude00\\ud83d"}', 'a: "\\ud83d\\ude00"\n'])
    def test_half_a_pair_and_a_pair_in_yaml_are_one_line(self, text):
        assert said(text).startswith("in.yaml:1: not YAML: ")

    def test_what_looks_like_a_pair_elsewhere_stays(self):
        (document,) = parse("a: '\\ud83d\\ude00'\nb: \\ud83d\\ude00\n", "in.yaml")
        assert document.value == {"a": "\\ud83d\\ude00", "b": "\\ud83d\\ude00"}

    def test_stored_json_has_none(self):
        assert bounded.decode(b'{"a": "\\ud83d\\ude00", "b": "\\\\ud83d"}') == {"a": "\U0001f600", "b": "\\ud83d"}
        for data in (b'["\\ud83d"]', b'{"\\ude00": 1}', b'["\\ude00\\ud83d"]'):
            with pytest.raises(ValueError, match="surrogates"):
                bounded.decode(data)


@pytest.mark.parametrize(
    ("text", "line"), [("a: b\nc: \0\n", 2), ("\0", 1), ("a: \x1b\n", 1), ("a: |\n  x\n  \x07\n", 3), ('"\x9b"', 1)]
)
def test_control_characters_in_a_file_are_one_line(text, line):
    assert re.match(rf"in\.yaml:{line}: not YAML: a control character, #x00[0-9a-f]{{2}}$", said(text))


class TestHeaders:
    def test_there_is_one_list(self):
        assert TAKEN == RESERVED
        assert ALWAYS_TAKEN < TAKEN

    @pytest.mark.parametrize("header", sorted(TAKEN))
    def test_no_tag_has_such_a_header(self, header):
        for written in (header, header.title()):
            text = SPEC.replace("  lanes", f"  tag: {{header: {written}}}\n  lanes")
            with pytest.raises(InputError) as error:
                groups(parse(text, "g.yaml"))
            assert str(error.value) == (
                f"g.yaml:5: spec.tag.header: {header} has a meaning of its own; a tag needs a header to itself"
            )


def newer(text):
    from meshconfig.spec import LaneGroup

    (document,) = parse(text, "g.yaml")
    return [message for _, message in newer_problems(LaneGroup.model_validate(document.value))]


class TestDerivedNames:
    @pytest.mark.parametrize(("size", "fits"), [(29, True), (30, False)])
    def test_the_subset_of_a_fallback_fits_istio(self, size, fits):
        old, new = "p" * 30, "g" * size
        text = SPEC.replace("gray: {}", f"gray: {{fallback: runtime, versions: {{cat: {new}}}}}")
        text = text.replace("{prod: {labels", f"{{{old}: {{labels").replace(", gray: {labels", f", {new}: {{labels")
        text = text.replace("port: 9001", f"port: 9001\n      default: {old}")
        if fits:
            assert groups(parse(text, "g.yaml"))
            return
        with pytest.raises(InputError, match=f"{new}-or-{old}, whose name has 64 characters and may have 63"):
            groups(parse(text, "g.yaml"))

    @pytest.mark.parametrize("field", ["max", "cpu"])
    def test_numbers_beyond_kubernetes_are_refused(self, field):
        scale = {"min": 1, "max": 2, field: 2**31}
        text = SPEC.replace("{env: gray}}", f"{{env: gray}}, autoscale: {json.dumps(scale)}}}")
        with pytest.raises(InputError) as error:
            groups(parse(text, "g.yaml"))
        assert str(error.value) == (
            f"g.yaml:10: spec.services.cat.versions.gray.autoscale.{field}: takes a number up to 2147483647"
        )

    def test_a_stored_spec_is_judged_by_the_older_rules(self):
        text = SPEC.replace("  lanes", "  tag: {header: te}\n  lanes")
        assert newer(text) == ["te has a meaning of its own; a tag needs a header to itself"]
        assert newer(SPEC) == []


HOSTILE = {
    "laughs in kind": laughs(10) + "apiVersion: graylane/v1\nkind: *a9\n",
    "laughs in a VirtualService": laughs(10)
    + "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: cat}\nspec: {http: *a9}\n",
    "merged laughs": laughs(10, merge=True) + "apiVersion: v1\nkind: Service\nspec: {<<: *a9}\n",
    "deep": "kind: " + "[" * 30_000 + "]" * 30_000,
    "a flat list": "kind: [" + "x," * (FILE_VALUES + 10) + "]\n",
    "a large number": "apiVersion: graylane/v1\nkind: LaneGroup\nspec: {a: 0x" + "f" * 50_000 + "}\n",
    "blank lines before a fault": "\n" * 300_000 + "\t@{{\n",
}
COMMANDS = ("lint", "render", "explain --host cat", "graph", "replicas cat --total 3", "local up", "lane add x")


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("command", COMMANDS[:3])
def test_a_command_ends_in_one_line_in_bounded_memory(tmp_path, name, command):
    file = tmp_path / "in.yaml"
    file.write_text(HOSTILE[name])
    words = [str(Path(sys.executable).with_name("graylane")), *command.split(), "-f", str(file)]
    # Unmeasured: to count the lines of so much input would take a minute.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(words, capture_output=True, text=True, preexec_fn=_within_memory, cwd=tmp_path, env=plain)
    assert done.returncode == 2, done.stderr[-2000:]
    (line,) = done.stderr.splitlines()
    assert re.match(rf"{re.escape(str(file))}:[0-9]+: ", line)
    assert len(line) < 400


def _within_memory():
    size = 1600 << 20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_reads_within_the_bounds(graylane, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.yaml").write_text(HOSTILE["laughs in kind"])
    code, _, err = graylane(*command.split(), "-f", "in.yaml")
    assert code == 2
    assert err.splitlines()[-1].startswith("in.yaml:7: its aliases stand for more than 2,000,000 values")


def test_a_local_mesh_and_a_kubeconfig_are_read_within_the_bounds(graylane, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "graylane.yaml").write_text(SPEC)
    (tmp_path / "local.yaml").write_text(HOSTILE["deep"])
    assert graylane("local", "up")[2].splitlines()[-1].startswith("local.yaml:1: nested too deeply")
    (tmp_path / "config").write_text(laughs(10) + "clusters: *a9\n")
    monkeypatch.setenv("KUBECONFIG", "config")
    code, _, err = graylane("diff")
    assert (code, err.partition(": ")[0]) == (2, "config:7")


@pytest.mark.parametrize("port", [0, 65536, 99999])
def test_an_address_of_a_local_process_has_a_port(graylane, tmp_path, monkeypatch, port):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "graylane.yaml").write_text(SPEC)
    (tmp_path / "local.yaml").write_text(
        "apiVersion: graylane/v1\nkind: LocalMesh\nmetadata: {name: pets, namespace: demo}\n"
        f'spec:\n  workloads: {{cat: {{prod: {{address: "127.0.0.1:{port}"}}}}}}\n'
    )
    code, _, err = graylane("local", "up")
    said_ = f"local.yaml:5: spec.workloads.cat.prod.address: takes a port from 1 to 65535, not {port}"
    assert (code, err.splitlines()[-1]) == (2, said_)


def test_completion_of_a_hostile_spec_is_silent(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "graylane.yaml").write_text(HOSTILE["laughs in kind"])
    words = {"_GRAYLANE_COMPLETE": "complete_bash", "COMP_WORDS": "graylane version add ", "COMP_CWORD": "3"}
    command = [str(Path(sys.executable).with_name("graylane"))]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **words})
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


@pytest.mark.slow
def test_a_large_legitimate_file_is_read():
    services = "".join(
        f"    s{n}: {{host: s{n}, port: 80, versions: {{prod: {{labels: {{env: prod}}}}}}}}\n" for n in range(10_000)
    )
    head = "apiVersion: graylane/v1\nkind: LaneGroup\nmetadata: {name: pets}\nspec:\n  lanes: {prod: {}}\n  services:\n"
    (document,) = parse(head + services, "in.yaml")
    assert len(document.value["spec"]["services"]) == 10_000


def test_the_pages_say_what_the_bounds_are():
    page = (ROOT / "docs" / "limits.md").read_text()
    for bound in (f"{FILE_BYTES >> 20} MiB", f"{FILE_VALUES:,}", f"{bounded.FILE_DOCUMENTS:,}", f"{DEPTH} "):
        assert bound in page
    for header in TAKEN:
        assert f"`{header}`" in page


def test_the_loader_is_as_pyyaml_for_what_is_within_the_bounds():
    text = (ROOT / "examples" / "cat-mouse" / "graylane.yaml").read_text()
    ours = [yaml.serialize(node) for node in yaml_nodes.compose(text, Room())]
    assert ours == [yaml.serialize(node) for node in yaml.compose_all(text, Loader=yaml.CSafeLoader)]
