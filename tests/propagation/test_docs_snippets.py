"""Every Python snippet of the pages on propagation is run; each option and each name that a page gives exists."""

import asyncio
import dataclasses
import inspect
import re
from pathlib import Path

import pytest

import propagation
from propagation import PropagationConfig, uninstrument
from propagation.environment import PREFIX, READERS, options
from propagation.probe.recorder import recording
from propagation.registry import REGISTRY

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "propagation.md", DOCS / "opentelemetry.md", DOCS / "background-work.md"]
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


def test_the_page_for_sleuths_users_has_every_option():
    table = (DOCS / "propagation.md").read_text()
    for field in dataclasses.fields(PropagationConfig):
        assert f"`{field.name}=" in table, field.name
        assert f"`{PREFIX}{field.name.upper()}" in table, field.name


def test_every_variable_with_a_value_on_the_page_is_taken():
    found = re.findall(rf"`({PREFIX}[A-Z_]+)=([^`]+)`", (DOCS / "propagation.md").read_text())
    variables = {name: value.replace("\\|", "|") for name, value in found}
    assert len(variables) >= 7
    assert len(options(variables)) == len(variables)
    assert PropagationConfig.from_env(variables).key_names == {"env": ("env", "x-env")}
    assert {name.removeprefix(PREFIX).lower() for name in variables} <= READERS.keys()


def test_the_table_of_clients_has_every_entry_of_the_registry():
    text = (DOCS / "propagation.md").read_text()
    assert [name for name, line in REGISTRY.items() if not line.background and f'"{name}"' not in text] == []


def test_the_page_on_background_work_has_every_library_that_starts_some():
    text = (DOCS / "background-work.md").read_text()
    assert [name for name, line in REGISTRY.items() if line.background and f'"{name}"' not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_of_a_module_of_ours_exists(page):
    names = re.findall(r"`(?:propagation\.)?((?:clients|servers|messaging|executors|spans)\.[\w.]+)`", page.read_text())
    assert names
    for name in names:
        found = propagation
        for part in name.split("."):
            found = getattr(found, part)
