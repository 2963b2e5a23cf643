"""Commands on files with a few things wrong in them: an answer, or lines with a place, and no traceback."""

import contextlib
import io
import json
import re
import sys
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import MANIFESTS, SPECS, mutated_texts, texts

from meshconfig.cli import main
from meshconfig.printable import escape_line

pytestmark = pytest.mark.fuzz

SPEC_TEXTS, ANY = texts(*SPECS), texts(*SPECS, *MANIFESTS)
COMMANDS = (
    ("render",),
    ("render", "--sidecar", "--ingress"),
    ("lint",),
    ("lint", "--output", "json"),
    ("lint", "--output", "sarif"),
    ("lint", "--output", "github"),
    ("graph",),
    ("replicas", "cat", "--total", "10"),
    ("explain", "--host", "cat.example.com", "-H", "env:gray"),
    ("explain", "--host", "cat", "--from", "mouse", "--output", "json"),
    ("explain", "--host", "cat.example.com", "--chain", "cat,mouse"),
    ("version", "takeover", "cat", "gray", "--dry-run"),
    ("version", "weights", "cat", "v1=1", "v2=3", "--dry-run"),
    ("lane", "add", "blue", "--dry-run"),
)
PLACE = re.compile(r"^(\S*in\.yaml(:\d+)?|note|graylane|--[a-z-]+|[a-zA-Z0-9=./-]+): ")


@pytest.fixture(scope="session")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "in.yaml"


def run(*arguments):
    """(exit status, standard output, standard error) of a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["graylane", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as stopped,
    ):
        main()
    return stopped.value.code or 0, out.getvalue(), err.getvalue()


@given(mutated_texts(SPEC_TEXTS, most=3) | mutated_texts(ANY, most=2), st.sampled_from(COMMANDS))
def test_a_command_answers_or_names_the_place(file, text, command):
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    code, out, err = run(*command, "-f", file)
    assert code in (0, 1, 2)
    assert "Traceback" not in err, err
    if code == 2:
        assert out == "", "what is refused answers nothing"
        assert err
    findings = [line.removeprefix("::") for line in out.splitlines()] if "github" in command else out.splitlines()
    for line in [*findings, *err.splitlines()]:
        assert escape_line(line) == line, (command, line)
    if code != 2 and command[-1] in ("json", "sarif"):
        json.loads(out)
    for line in err.splitlines() if code == 2 else ():
        assert PLACE.match(line), line
