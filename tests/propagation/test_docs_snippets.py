"""Every Python snippet of the pages on propagation is run; each option and each name that a page gives exists.

A snippet that begins with the name of a file, such as `# main.py`, is a part of a quick start: see test_quick_starts.
"""

import asyncio
import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import propagation
from propagation import PropagationConfig, uninstrument
from propagation.doctor import finding, main
from propagation.environment import PREFIX, options
from propagation.probe.recorder import recording
from propagation.registry import REGISTRY
from propagation.testing import assert_propagates

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE, SLEUTH = DOCS / "propagation-reference.md", DOCS / "propagation-sleuth.md"
BACKGROUND = DOCS / "background-work.md"
PAGES = [REFERENCE, SLEUTH, BACKGROUND, DOCS / "opentelemetry.md"]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def snippets():
    for page in PAGES:
        text = page.read_text()
        for block in BLOCK.finditer(text):
            line = text[: block.start()].count("\n") + 2
            yield pytest.param(page, block[1], line, id=f"{page.name}:{line}")


def run(page, code, line):
    """The snippet as a module, with its coroutines to their end; gives its test functions."""
    names = {"__name__": "snippet"}
    exec(compile("\n" * (line - 1) + code, str(page), "exec"), names)
    for value in names.values():
        if inspect.iscoroutinefunction(value) and not inspect.signature(value).parameters:
            asyncio.run(value())
    return [value for name, value in names.items() if name.startswith("test_")]


@pytest.mark.parametrize(("page", "code", "line"), list(snippets()))
def test_a_snippet_runs(page, code, line, assert_propagates):
    try:
        with recording():  # so that mouse-svc is there
            tests = run(page, code, line)
        for test in tests:
            test(assert_propagates)
    finally:
        uninstrument()


def sections(page):
    """The text under each heading of the second level."""
    return dict(part.split("\n", 1) for part in page.read_text().split("\n## ")[1:])


def test_the_reference_has_every_option_and_its_variable():
    options_table, environment_table = sections(REFERENCE)["Options"], sections(REFERENCE)["Environment"]
    for field in dataclasses.fields(PropagationConfig):
        assert re.search(rf"^\| `{field.name}=", options_table, re.MULTILINE), field.name
        assert f"\n| `{PREFIX}{field.name.upper()}` |" in environment_table, field.name


def test_the_options_of_the_reference_are_taken():
    found = re.findall(r"^\| `((\w+)=.+?)` \|", sections(REFERENCE)["Options"], re.MULTILINE)
    for code, name in found:
        given = eval(f"dict({code})")
        extra: Any = {"local_fields": ("step",)} if name == "origin" else {}
        config = PropagationConfig(**given, **extra)
        assert getattr(config, name) == given[name], name


@pytest.mark.parametrize("page", [REFERENCE, SLEUTH], ids=lambda page: page.name)
def test_every_variable_with_a_value_on_a_page_is_taken(page):
    found = re.findall(rf"`({PREFIX}[A-Z_]+)=([^`]+)`", page.read_text())
    variables = {name: value.replace("\\|", "|") for name, value in found}
    assert variables
    assert len(options(variables)) == len(variables)
    assert PropagationConfig.from_env(variables).key_names == {"env": ("env", "x-env")}


def test_the_reference_has_every_public_name():
    text = REFERENCE.read_text()
    assert [name for name in propagation.__all__ if not re.search(rf"`[^`]*\b{name}\b[^`]*`", text)] == []


@pytest.mark.parametrize("package", ["clients", "servers", "messaging"])
def test_the_reference_has_every_public_name_of_a_package(package):
    text = REFERENCE.read_text()
    for path in sorted((ROOT / "propagation" / package).glob("[!_]*.py")):
        names = re.findall(r"^(?:class|(?:async )?def) ([A-Za-z]\w+)", path.read_text(), re.MULTILINE)
        missing = [name for name in names if name.startswith(("Propagating", "AsyncPropagating")) and name not in text]
        assert missing == [], path.name


def test_the_table_of_clients_has_every_entry_of_the_registry():
    text = REFERENCE.read_text()
    assert [name for name, line in REGISTRY.items() if not line.background and f'"{name}"' not in text] == []


def test_the_page_on_background_work_has_every_library_that_starts_some():
    text = BACKGROUND.read_text()
    assert [name for name, line in REGISTRY.items() if line.background and f'"{name}"' not in text] == []


def test_every_argument_and_mark_of_the_doctor_is_in_the_reference(capsys):
    text = sections(REFERENCE)["Doctor"]
    with pytest.raises(SystemExit):
        main(["doctor", "--help"])
    options = set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--help"}
    assert options == set(re.findall(r"^\| `(--[a-z]+)` \|", text, re.MULTILINE))
    assert all(f"\n| `{mark}` |" in text for mark in (finding.OK, finding.NO, finding.NOTE, *finding.WRONG))


def test_every_argument_of_assert_propagates_is_in_the_reference():
    text = sections(REFERENCE)["assert_propagates"]
    assert [name for name in inspect.signature(assert_propagates).parameters if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", [REFERENCE], ids=lambda page: page.name)
def test_every_name_of_a_module_of_ours_exists(page):
    names = re.findall(r"`(?:propagation\.)?((?:clients|servers|messaging|executors|spans)\.[\w.]+)`", page.read_text())
    assert names
    for name in names:
        found = propagation
        for part in name.split("."):
            found = getattr(found, part)
