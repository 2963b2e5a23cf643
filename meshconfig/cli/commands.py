"""The commands of `graylane`. Each is one module here, with a function or a `typer.Typer` that `COMMANDS` names."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from meshconfig.cli.batch import batch
from meshconfig.cli.lazy import MARKUP, LazyCommand
from meshconfig.printable import say

# What a user types, and where it is. Summaries are in summaries.json: `make golden` writes it from the commands' help.
COMMANDS = {
    "init": "init:command",
    "import": "import_:command",
    "render": "render:command",
    "lint": "lint:command",
    "explain": "explain:command",
    "test": "route_test:command",
    "graph": "graph:command",
    "links": "links:command",
    "replicas": "replicas:command",
    "diff": "diff:diff",
    "plan": "diff:plan",
    "apply": "apply:apply",
    "move": "move:command",
    "status": "status:command",
    "carry": "carry:command",
    "console": "web_console:command",
    "history": "history:command",
    "rollback": "rollback:command",
    "delete": "apply:delete",
    "schema": "schema:command",
    "crds": "crds:command",
    "demo": "demo:command",
    "version": "version:app",
    "lane": "lane:app",
    "rollout": "rollout:app",
    "controller": "controller:command",
    "local": "local:app",
}
# The options `--LANE VERSION` are named after the lanes in the spec, so Typer cannot know them.
SETTINGS = {"replicas": {"allow_extra_args": True, "ignore_unknown_options": True}}


class Commands(TyperGroup):
    """The commands above; `graylane render` imports nothing of `graylane apply`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        summaries = json.loads(Path(__file__).with_name("summaries.json").read_text("utf-8"))
        for name, target in COMMANDS.items():
            self.add_command(LazyCommand(name, target, summaries.get(name, ""), SETTINGS.get(name)))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with batch():  # this imports pydantic, which Typer parses options with
            return super().parse_args(ctx, args)


app = typer.Typer(
    name="graylane",
    cls=Commands,
    help="Header-based gray routing on Istio: compile a spec to routes, check them, and apply them safely.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=MARKUP,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from meshconfig.version import version  # reading the installed package's metadata takes a while

        say(f"graylane {version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """What `graylane` takes before a command."""
