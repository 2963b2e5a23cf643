"""The command `graylane`: parses arguments, calls the packages below, and prints. It contains no routing logic.

Each command is one module here, with a function that `app` registers. Exit 0 done, 1 findings or differences,
2 bad input or usage.
"""

import io
import sys

import typer

from meshconfig.cli import (
    apply,
    demo,
    diff,
    explain,
    graph,
    history,
    lane,
    lint,
    local,
    render,
    replicas,
    rollback,
    rollout,
    schema,
    status,
    version,
)
from meshconfig.errors import GraylaneError, InputError

app = typer.Typer(
    name="graylane",
    help="Header-based gray routing on Istio: compile a spec to routes, check them, and apply them safely.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("render")(render.command)
app.command("lint")(lint.command)
app.command("explain")(explain.command)
app.command("graph")(graph.command)
# The options `--LANE VERSION` are named after the lanes in the spec, so Typer cannot know them.
app.command("replicas", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(replicas.command)
app.command("diff")(diff.diff)
app.command("plan")(diff.plan)
app.command("apply")(apply.apply)
app.command("status")(status.command)
app.command("history")(history.command)
app.command("rollback")(rollback.command)
app.command("delete")(apply.delete)
app.command("schema")(schema.command)
app.command("demo")(demo.command)
app.add_typer(version.app, name="version")
app.add_typer(lane.app, name="lane")
app.add_typer(rollout.app, name="rollout")
app.add_typer(local.app, name="local")


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
