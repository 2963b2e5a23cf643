"""Where `graylane test` reads its cases from."""

from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
import yaml
from istio_world import service
from route_cases import OUTSIDE, SPEC, case, written_as

SENT = "--send: takes the gateway's http://HOST:PORT, or HOST:PORT, not "


class TestFiles:
    """Where tests are read from."""

    @pytest.fixture(autouse=True)
    def here(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "graylane.yaml").write_text(SPEC.read_text())

    def write(self, name, *written, **more):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(yaml.safe_dump_all([written_as(one, **more) for one in written]))

    def test_the_files_of_the_folder(self, graylane):
        self.write("tests.yaml", case({"service": "cat"}))
        assert graylane("test") == (0, "✓ it\n1 passed\n", "")

    def test_tests_beside_the_spec_in_a_folder(self, graylane):
        self.write("routes.yaml", case({"service": "cat"}))
        assert graylane("test", ".") == (0, "✓ it\n1 passed\n", "")

    def test_several_documents_files_and_folders(self, graylane):
        self.write("t/a.yaml", case({"service": "cat"}, name="one"), case({"service": "cat"}, name="two"))
        self.write("b.yaml", case({"service": "cat"}, name="one"), metadata={"name": "second"})
        code, out, _ = graylane("test", "-t", "t", "-t", "b.yaml")
        assert (code, out) == (0, "t/a.yaml\n✓ one\n✓ two\nsecond\n✓ one\n3 passed\n")
        code, out, _ = graylane("test", "-t", "t", "-t", "b.yaml", "--case", "two")
        assert (code, out) == (0, "✓ two\n1 passed\n")
        _, _, err = graylane("test", "-t", "t", "--case", "tow")
        assert err == "--case: there is no case 'tow'; did you mean two?\n"

    def test_standard_input(self, graylane, monkeypatch):
        text = yaml.safe_dump(written_as(case({"service": "mouse"}))).encode()
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(text)))
        code, out, _ = graylane("test", "-t", "-")
        assert (code, "✗ it   (-:" in out) == (1, True)
        assert graylane("test", "-f", "-", "-t", "-")[2].startswith("--tests: standard input can be read once")

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ([], "--tests: is missing: no RouteTest among the files, and no tests.yaml in the current folder\n"),
            (["-t", "none.yaml"], "none.yaml: no such file\n"),
            (["-t", "graylane.yaml"], "graylane.yaml: no document of kind RouteTest here, but LaneGroup\n"),
            (["-t", "typo.yaml"], "typo.yaml:2: kind: unknown kind RouteTests; did you mean RouteTest?\n"),
            (["-t", "t.yaml", "-A"], "--all-namespaces: is for --live\n"),
            (
                ["-t", "t.yaml", "--send", "a b"],
                f"{SENT}'a b'\n",
            ),
            (
                ["-t", "t.yaml", "--send", "ftp://a"],
                f"{SENT}'ftp://a'\n",
            ),
            (
                ["-t", "t.yaml", "--send", "a:1/x"],
                f"{SENT}'a:1/x'\n",
            ),
        ],
    )
    def test_what_is_missing_is_told(self, graylane, arguments, said):
        Path("typo.yaml").write_text("apiVersion: graylane.dev/v1\nkind: RouteTests\nspec: {cases: []}\n")
        self.write("t.yaml", case({"service": "cat"}))
        assert graylane("test", *arguments) == (2, "", said)

    def test_other_commands_leave_tests_out(self, graylane):
        self.write("routes.yaml", case({"service": "cat"}))
        assert graylane("lint", ".")[0] == 0
        assert graylane("render", ".") == graylane("render", "graylane.yaml")

    def test_the_namespace_of_short_names_is_the_tests_own(self, graylane):
        world = (*OUTSIDE, service(namespace="other"))
        Path("k8s.yaml").write_text(yaml.safe_dump_all(world))
        self.write("t.yaml", case({"service": "cat"}, "shop.example.com"), metadata={"namespace": "demo"})
        assert graylane("test", "k8s.yaml", "-t", "t.yaml")[0] == 0
