"""What a release relies on: one version, a changelog in order, targets that `make` lists, hooks without a network."""

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

import propagation
from meshconfig.cli import main
from meshconfig.version import version

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()


def test_the_command_says_the_version_of_the_library(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["graylane", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (capsys.readouterr().out, ended.value.code) == (f"graylane {propagation.__version__}\n", 0)


def test_the_version_stands_in_one_file():
    number = re.escape(propagation.__version__)
    files = [ROOT / "pyproject.toml", *(ROOT / "meshconfig").rglob("*.py"), *(ROOT / "propagation").rglob("*.py")]
    found = [str(path.relative_to(ROOT)) for path in files if re.search(rf"[\"']{number}[\"']", path.read_text())]
    assert found == ["propagation/__init__.py"]


def test_run_from_a_folder_without_being_installed_there_is_no_version():
    code = "import importlib.metadata as m; m.version = lambda n: (_ for _ in ()).throw(m.PackageNotFoundError(n))"
    code += "; from meshconfig.version import version; print(repr(version()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "''\n"
    assert version() == propagation.__version__


def test_the_changelog_is_in_order_and_tells_of_no_version_to_come():
    first, *releases = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first == "Unreleased"
    pairs = [line.split(" - ") for line in releases]
    numbers, days = [Version(number) for number, _ in pairs], [date.fromisoformat(day) for _, day in pairs]
    assert numbers == sorted(set(numbers), reverse=True)
    assert days == sorted(days, reverse=True)
    assert all(number <= Version(propagation.__version__) for number in numbers)


def test_make_lists_every_target():
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split()
    listed = subprocess.run(["make", "-s", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    assert sorted(re.findall(r"^  make (\S+) +\S", listed, re.MULTILINE)) == sorted(phony)


def test_hooks_call_what_make_lint_calls_and_download_nothing():
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [one["repo"] for one in repositories] == ["local"]
    recipe = MAKEFILE.partition("\nlint:")[2].partition("\n\n")[0].replace("$(BIN)", ".venv/bin")
    for hook in repositories[0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].removesuffix(" --force-exclude") in recipe
