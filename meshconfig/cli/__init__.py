"""The command `graylane`: parses arguments, calls the packages below, and prints. It contains no routing logic.

Each command is one module here, with a function or a `typer.Typer` that `COMMANDS` names. Exit 0 done, 1 findings or
differences, 2 bad input or usage.
"""

import io
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from meshconfig.cli.lazy import MARKUP, LazyCommand
from meshconfig.errors import GraylaneError, InputError

# What a user types, and where it is. Summaries are in summaries.json: `make golden` writes it from the commands' help.
COMMANDS = {
    "render": "render:command",
    "lint": "lint:command",
    "explain": "explain:command",
    "graph": "graph:command",
    "replicas": "replicas:command",
    "diff": "diff:diff",
    "plan": "diff:plan",
    "apply": "apply:apply",
    "status": "status:command",
    "history": "history:command",
    "rollback": "rollback:command",
    "delete": "apply:delete",
    "schema": "schema:command",
    "demo": "demo:command",
    "version": "version:app",
    "lane": "lane:app",
    "rollout": "rollout:app",
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

        print(f"graylane {version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """What `graylane` takes before a command."""


def main() -> None:
    """Run the command line. An error that the user can fix is printed as one line, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # output has arrows: a locale without them must not end the command with UnicodeEncodeError
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except GraylaneError as error:
        print(f"graylane: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `graylane render | head`
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # a full disk behind `graylane render > FILE`
        print(f"graylane: {error.strerror or error}", file=sys.stderr)
        sys.exit(2)
