"""What the pages show is what the commands print: every ```console block of README, docs and examples is run.

A line `$ graylane …` is a command, what follows is its output; `[exit 1]` at the end tells an exit code that is not 0.
Commands that need a terminal, a cluster or a server stand in ```sh blocks, which are not run.
"""

import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from meshconfig.cli import main
from meshconfig.cli.commands import app
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.route_tests import cases
from meshconfig.spec import LocalMesh, PreviewLane
from meshconfig.spec.base import validate

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md")])
BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
EXIT = re.compile(r"\[exit (\d+)\]\n\Z")


def sessions():
    for page in PAGES:
        text = page.read_text()
        for block in BLOCK.finditer(text):
            line = text[: block.start()].count("\n") + 2
            yield pytest.param(page, block[1], id=f"{page.relative_to(ROOT)}:{line}")


def commands(session):
    """(command, expected output, expected exit code) of one block."""
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        code = EXIT.search(output)
        yield command, EXIT.sub("", output), int(code[1]) if code else 0


def run(command, monkeypatch, capsys):
    program, *arguments = shlex.split(command)
    assert program == "graylane", f"only graylane is run here: {command}"
    monkeypatch.setattr(sys, "argv", [program, *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    printed = capsys.readouterr()
    return printed.out + printed.err, stopped.value.code or 0


@pytest.mark.parametrize(("page", "session"), list(sessions()))
def test_a_page_shows_what_the_command_prints(page, session, monkeypatch, capsys):
    monkeypatch.chdir(page.parent)
    found = list(commands(session))
    assert found, "a console block without a command"
    for command, output, code in found:
        assert run(command, monkeypatch, capsys) == (output, code), command


# Other kinds have these names too: `gateway` that of Gateway API, `vs` CSI's VolumeSnapshot. kubectl then takes either.
VERB = r"kubectl\b.*?\b(get|delete|label|annotate|patch|describe|edit)"
AMBIGUOUS = re.compile(VERB + r"[\s\",]+(\S*,)?(gateways?|gw|vs)([\s,\"]|$)")


@pytest.mark.parametrize("folder", ["docs", "examples", "k8s", "meshconfig", "tests/cluster", "tests/support", "."])
def test_istios_kinds_are_named_so_that_kubectl_takes_no_other(folder):
    files = [
        path
        for path in (ROOT / folder).glob("*.md" if folder == "." else "**/*.*")
        if path.suffix in (".md", ".py", ".yaml")
    ]
    assert files
    lines = [f"{path}: {line}" for path in files for line in path.read_text().splitlines() if AMBIGUOUS.search(line)]
    assert lines == []


@pytest.mark.parametrize(
    ("line", "ambiguous"),
    [
        ("kubectl get vs,dr,gw,svc -A -o yaml", True),
        ("kubectl get gateway", True),
        ("kubectl get gateway cat -n demo", True),
        ('kubectl("delete", "virtualservices,destinationrules,gateways,leases", "--all")', True),
        ('kubectl("patch", "vs", "cat-svc")', True),
        ("kubectl get virtualservices,dr,gateways.networking.istio.io,hpa -n demo", False),
        ("kubectl -n istio-system port-forward deploy/istio-ingressgateway 8080:8080 &   # the gateway's port", False),
    ],
)
def test_an_ambiguous_kind_is_seen(line, ambiguous):
    assert bool(AMBIGUOUS.search(line)) is ambiguous


COMMANDS = [
    *("init", "import"),
    *("render", "lint", "explain", "test", "graph", "links", "replicas"),
    *("diff", "plan", "apply", "move", "status", "carry", "console", "history", "rollback", "delete"),
    *("version", "version add", "version weights", "version mirror", "version takeover", "version retire"),
    *("lane", "lane add", "lane remove", "lane split"),
    *("lane create", "lane list", "lane extend", "lane delete"),
    *("rollout", "rollout start", "rollout status", "rollout list"),
    *(f"rollout {word}" for word in ("approve", "pause", "resume", "abort", "rollback", "migrate")),
    *("crds", "controller", "schema", "demo", "local", "local up"),
]
REFERENCE = ROOT / "docs" / "commands.md"


def help_of(command, monkeypatch, capsys):
    for name, value in {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    text, _ = run(f"graylane {command} --help", monkeypatch, capsys)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def test_the_reference_is_what_help_says(monkeypatch, capsys):
    """`make golden` rewrites it."""
    parts = [f"## graylane {name}\n\n```text\n{help_of(name, monkeypatch, capsys)}\n```\n" for name in COMMANDS]
    text = "# Commands\n\nMade from `--help` by `make golden`.\n\n" + "\n".join(parts)
    if os.environ.get("GRAYLANE_GOLDEN") == "rewrite":
        REFERENCE.write_text(text)
    assert REFERENCE.read_text() == text


SUMMARIES = ROOT / "meshconfig" / "cli" / "summaries.json"


def test_the_summaries_in_the_list_are_those_of_the_reference():
    """`make golden` rewrites them: the list of commands is printed without a look at the commands."""
    helps = {name: command.load().help for name, command in commands_of_graylane().items()}
    text = (
        json.dumps({name: first_paragraph(found) for name, found in helps.items()}, indent=2, ensure_ascii=False) + "\n"
    )
    if os.environ.get("GRAYLANE_GOLDEN") == "rewrite":
        SUMMARIES.write_text(text)
    assert SUMMARIES.read_text() == text


def commands_of_graylane():
    group: Any = typer.main.get_command(app)
    return {name: group.get_command(None, name) for name in group.list_commands(None)}


def first_paragraph(text):
    return " ".join(text.partition("\n\n")[0].split())


def test_every_command_is_in_the_reference(monkeypatch, capsys):
    listed = re.findall(r"^│ (\w+) ", help_of("", monkeypatch, capsys), re.MULTILINE)
    assert listed
    assert set(listed) <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def specs():
    """Every whole document of ours that a page shows."""
    for page in PAGES:
        for block in re.findall(
            r"^```yaml\n(apiVersion: graylane(?:\.dev)?/v1\n.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE
        ):
            yield pytest.param(block, id=str(page.relative_to(ROOT)))


@pytest.mark.parametrize("text", list(specs()))
def test_a_spec_that_a_page_shows_is_one(text):
    (document,) = parse(text, "page")
    if document.kind == "LocalMesh":
        validate(LocalMesh, document.value, document.locate)
    elif document.kind == "Lane":
        validate(PreviewLane, document.value, document.locate)
    elif document.kind == "RouteTest":
        assert cases([document])
    else:
        assert groups([document])


def test_the_propagator_for_go_is_the_one_that_the_interop_tests_run():
    page = (ROOT / "docs" / "other-languages.md").read_text()
    assert (ROOT / "tests" / "interop" / "go" / "tagheader.go").read_text() in page


def test_the_files_of_the_readme_s_commands_are_in_a_clone():
    """Typed from the clone's folder, each of them works."""
    named = re.findall(r"graylane [^`\n|]*?(?:-f )?([\w./-]+\.yaml)", (ROOT / "README.md").read_text())
    assert len(named) >= 4
    assert [name for name in named if not (ROOT / name).is_file()] == []
