"""What is printed commands no terminal and no CI runner, and everything is printed through the one escape."""

import ast
import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import yaml
from hostile_text import MARKUP, RUNNER, TERMINAL, harm, hostile
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group

import meshconfig
from meshconfig.cli.console import Console, Table, Text
from meshconfig.printable import escape, escape_line, json_text, say
from meshconfig.render import to_yaml

texts = hostile | st.text(st.characters(codec=None))


@given(texts)
def test_a_line_stays_one_line_and_commands_nothing(text):
    line = escape_line(text)
    assert "\n" not in line
    assert not harm(line)
    assert escape_line(line) == line
    assert not harm(escape(text))


@pytest.mark.parametrize(
    "text",
    [
        "cat → mouse, 100 %",
        "猫　と ねずみ",
        "a\tb",
        "::".join("ab"),
        "a ::1",
        "C# ## [x]",
        "# [x](y)",
        *MARKUP,
        "naïve\u00a0é",
        "👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 🐈\u200d⬛",
        "می\u200cخواهم",
        "ක්\u200dෂ",
    ],
)
def test_text_that_does_no_harm_stays_as_it_is(text):
    assert escape_line(text) == text


def test_what_is_escaped_is_shown_as_python_writes_it():
    assert escape_line("a\nb\x1b[2J\u202e\x7f") == r"a\nb\x1b[2J\u202e\x7f"
    assert escape_line("::error::x") == r"\x3a:error::x"
    assert escape_line("a ##[error]x") == r"a \x23#[error]x"
    assert escape("a\n ::error::\r\nb") == "a\n \\x3a:error::\\r\nb"


@given(st.lists(texts, max_size=3))
def test_say_prints_a_line_for_each_argument(lines):
    with redirect_stdout(io.StringIO()) as stream:
        say(*lines)
    printed = stream.getvalue()
    assert printed.count("\n") == len(lines)
    assert not harm(printed)


@given(texts, texts, st.sampled_from([None, 12, 40]))
def test_a_console_escapes_whatever_it_is_given(first, second, width):
    """Also where a line is folded in front of a command, or a command is put together from differently styled parts."""
    console = Console(fold=width is not None)
    console.file = io.StringIO()
    console.width = width or console.width
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row(first, second)
    table.add_row(Text("x" * 20 + " " + first), second)
    console.print(table)
    console.print(Text.assemble(("", "bold"), (first, "red"), second))
    console.print(Text.assemble((":", "bold"), ":error::", first))
    console.print(Group(Text(first), first))
    console.print(first, style="red")
    assert not harm(console.file.getvalue())


def test_a_console_takes_no_text_for_markup():
    console = Console()
    console.file = io.StringIO()
    table = Table(box=None, pad_edge=False, show_header=False)
    for text in MARKUP:
        console.print(text)
        table.add_row(text)
    console.print(table)
    assert [line.rstrip() for line in console.file.getvalue().splitlines()] == [*MARKUP, *MARKUP]


def test_a_cell_and_a_text_are_one_line_each():
    console = Console()
    console.file = io.StringIO()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("a\nb", "c")
    console.print(table)
    console.print(Text("a\r\nforged"))
    assert console.file.getvalue() == "a\\nb  c\na\\r\\nforged\n"


values = st.recursive(
    hostile | st.text() | st.none() | st.booleans() | st.integers(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(hostile | st.text(), below, max_size=3),
    max_leaves=8,
)


@given(values, st.booleans(), st.sampled_from([None, 2]))
def test_json_is_exact_and_harmless(value, ascii_only, indent):
    written = json_text(value, ascii_only=ascii_only, indent=indent)
    assert json.loads(written) == value
    assert not harm(written)


@given(values)
def test_yaml_is_exact_and_harmless(value):
    value = json.loads(json.dumps(value).replace("\\ud", "d"))  # YAML cannot write a lone surrogate
    written = to_yaml([{"value": value}])
    assert yaml.safe_load(written) == {"value": value}
    assert not harm(written)


def test_the_strings_of_this_test_do_harm():
    assert all(harm(text) for text in TERMINAL + RUNNER)


PACKAGE = Path(meshconfig.__file__).parent
HOMES = {"printable.py", "cli/console.py"}
PRINTERS = {"print", "echo", "secho", "print_exc", "rprint"}
# What gives text that its own format has escaped.
WRITERS = {"escape", "to_yaml", "report", "junit", "_markdown", "_spec", "_line", "_help", "_explained", "json_text"}
RICH = {"Text", "Table", "Console", "Markdown", "Panel", "print"}


def _faults(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and (what := _wrong_call(node, ast.unparse(node.func))):
            yield node, what
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rich"):
            yield from ((node, "take it from meshconfig.cli.console") for one in node.names if one.name in RICH)


def _wrong_call(call, name):
    target = [ast.unparse(one.value) for one in call.keywords if one.arg == "file"]
    if name.rpartition(".")[2] in PRINTERS and name.split(".")[0] in (*PRINTERS, "typer", "click", "traceback"):
        return "" if target and not target[0].startswith("sys.") else "print through say(), say_json() or a console"
    if name.startswith(("sys.stdout.", "sys.stderr.")) and name.endswith(".write"):
        return "print through put()"
    if name == "put" and getattr(getattr(call.args[0], "func", None), "id", "") not in WRITERS:
        return "put() takes what a writer has escaped"
    return ""


def test_everything_is_printed_through_the_escape():
    faults = [
        f"{file.relative_to(PACKAGE)}:{node.lineno}: {what}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if str(file.relative_to(PACKAGE)) not in HOMES
        for node, what in _faults(file)
    ]
    assert faults == []
