"""Findings as text, JSON, SARIF and GitHub annotations; the command's exit status."""

import json
import os
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from meshconfig.cli import lint as cli
from meshconfig.errors import InputError, Location
from meshconfig.lint import Finding, Level, rules
from meshconfig.lint.explain import explain, table
from meshconfig.lint.report import Format, report

ERROR, WARNING, INFO = "GL203", "GL210", "GL204"


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(cli.command)
    return lambda *arguments: CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture
def example(tmp_path):
    def write(code, which="bad"):
        file = tmp_path / f"{code}.yaml"
        file.write_text(getattr(next(one for one in rules() if one.code == code), which))
        return file

    return write


@pytest.mark.parametrize(
    ("code", "fail_on", "status"),
    [(ERROR, "error", 1), (ERROR, "warning", 1), (WARNING, "error", 0), (WARNING, "warning", 1), (INFO, "warning", 0)],
)
def test_exit_is_1_with_a_finding_of_the_level_or_worse(run, example, code, fail_on, status):
    done = run("-f", example(code), "--fail-on", fail_on)
    assert done.exit_code == status
    assert f"{code}.yaml:" in done.stdout


def test_a_warning_fails_unless_told_otherwise_and_nothing_found_is_0(run, example):
    assert run("-f", example(WARNING)).exit_code == 1
    assert run("-f", example(WARNING), "--ignore", WARNING.lower()).exit_code == 0
    clean = run("-f", example(ERROR, "good"))
    assert (clean.exit_code, clean.stdout) == (0, "")
    assert "nothing found" in clean.stderr


def test_files_may_follow_one_f_and_directories_are_read(run, example, tmp_path):
    files = [example(ERROR), example(WARNING)]
    assert run("-f", *files).stdout == run("-f", tmp_path).stdout
    assert {code for code in (ERROR, WARNING) if code in run("-f", tmp_path).stdout} == {ERROR, WARNING}


def test_findings_are_sorted_and_say_file_line_field_and_what_to_do(run, example):
    first, second = run("-f", example("GL216")).stdout.split("\n")[::2][:2]
    assert re.match(r".*GL216\.yaml:5: error GL216: spec\.hosts\[0\]: VirtualService demo/cat-gray has", first)
    assert re.match(r".*GL216\.yaml:12: ", second)
    assert "    fix: Put the routes into one VirtualService.\n" in run("-f", example("GL216")).stdout


def test_input_that_cannot_be_used_is_an_error_not_a_finding(run, tmp_path):
    for given in ([], ["-f", tmp_path / "none.yaml"], ["--explain", "GL999"], ["-f", tmp_path, "--ignore", "GL1"]):
        assert isinstance(run(*given).exception, InputError), given


@pytest.mark.parametrize("one", rules(), ids=lambda one: one.code)
def test_explain_has_all_there_is_to_know(run, one):
    text = run("--explain", one.code.lower()).stdout
    assert text == explain(one)
    for part in (one.title, one.why, one.fix, *one.istio, *one.kiali, *one.needs):
        assert part in text
    assert text.count("    apiVersion:") >= 2


def test_explain_all_lists_every_rule(run):
    lines = run("--explain", "all").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [one.code for one in rules()]


NASTY = Finding(
    Location("a,b:c%.yaml", 3), "GL203", "spec.http[1]", "100 %\nof it", "VirtualService demo/cat", Level.ERROR
)


def test_json_has_one_object_for_each_finding():
    (found,) = json.loads(report([NASTY], Format.JSON))["findings"]
    assert (found["file"], found["line"], found["path"], found["level"]) == ("a,b:c%.yaml", 3, "spec.http[1]", "error")
    assert found["resource"] == "VirtualService demo/cat"
    assert json.loads(report([], Format.JSON)) == {"findings": []}


def test_github_commands_escape_what_would_end_them():
    text = report([NASTY], Format.GITHUB)
    assert text.startswith("::error file=a%2Cb%3Ac%25.yaml,line=3,title=GL203 ")
    assert "::spec.http[1]: 100 %25%0Aof it%0Afix: " in text
    assert text.count("\n") == 1
    levels = [report([Finding(Location("f"), INFO, "", "", "", level)], Format.GITHUB) for level in Level]
    assert [text.split()[0] for text in levels] == ["::error", "::warning", "::notice"]


def test_sarif_names_rules_levels_and_places_as_the_standard_has_them():
    log = json.loads(report([NASTY], Format.SARIF))
    assert log["version"] == "2.1.0"
    (one,) = log["runs"]
    driver = one["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == [rule.code for rule in rules()]
    assert {rule["defaultConfiguration"]["level"] for rule in driver["rules"]} <= {"error", "warning", "note"}
    (result,) = one["results"]
    assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "GL203"
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "a%2Cb%3Ac%25.yaml"}, "region": {"startLine": 3}}
    assert result["level"] == "error"
    absolute = Finding(Location("/tmp/a b.yaml"), "GL203", "", "", "", Level.ERROR)
    (result,) = json.loads(report([absolute], Format.SARIF))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"] == {"artifactLocation": {"uri": "file:///tmp/a%20b.yaml"}}


def test_the_page_of_rules_has_the_table_that_the_rules_make():
    """`GRAYLANE_GOLDEN=rewrite` puts it there."""
    page = Path(__file__).parents[3] / "docs" / "lint.md"
    found = re.search(r"^\| code \|.*?\n\n", page.read_text(), re.DOTALL | re.MULTILINE)
    assert found
    if os.environ.get("GRAYLANE_GOLDEN") == "rewrite":
        page.write_text(page.read_text().replace(found[0], table() + "\n"))
    assert table() in page.read_text()
