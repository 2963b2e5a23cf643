"""`kubectl graylane`: what kubectl starts, by the names under which it looks for it."""

import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

SCRIPTS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]


@pytest.fixture
def started(monkeypatch, capsys):
    """Starts the program that is installed under a name; gives (exit code, standard output)."""
    for name in ("_GRAYLANE_COMPLETE", "_TYPER_COMPLETE_ARGS", "_TYPER_COMPLETE_FISH_ACTION"):
        monkeypatch.setenv(name, "")  # the program sets them, and is not the only one in this process

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [f"/usr/local/bin/{name}", *arguments])
        module, _, attribute = SCRIPTS[name].partition(":")
        with pytest.raises(SystemExit) as stopped:
            getattr(import_module(module), attribute)()
        return stopped.value.code or 0, capsys.readouterr().out

    return run


def test_help_names_the_program_as_it_was_called(started):
    code, out = started("kubectl-graylane", "apply", "--help")
    assert code == 0
    assert "Usage: kubectl graylane apply [OPTIONS]" in out
    _, out = started("graylane", "apply", "--help")
    assert "Usage: graylane apply [OPTIONS]" in out


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ((), {"apply", "status", "rollout", "version"}),
        (("",), {"apply", "status", "rollout", "version"}),
        (("sta",), {"status"}),
        (("version", "re"), {"retire"}),
        (("apply", "--dr"), {"--dry-run", "--drain"}),
    ],
)
def test_kubectl_gets_a_line_for_each_completion(started, words, offered):
    code, out = started("kubectl_complete-graylane", *words)
    assert code == 0
    lines = [line.split("\t") for line in out.splitlines()]
    assert offered <= {line[0] for line in lines}
    assert all(len(line) == 2 and line[1] for line in lines)


def test_a_version_of_the_spec_at_hand_is_completed(started, tmp_path, monkeypatch):
    (tmp_path / "graylane.yaml").write_text(
        "apiVersion: graylane.dev/v1\nkind: LaneGroup\nspec: {services: {cat: {versions: {v1: {}, v2: {}}}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    assert started("kubectl_complete-graylane", "version", "retire", "cat", "") == (0, "v1\nv2\n")
    assert started("kubectl_complete-graylane", "version", "retire", "it's", "") == (0, "\n")
