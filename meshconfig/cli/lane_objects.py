"""`graylane lane list`, `extend` and `delete`: preview lanes, objects of a cluster. `lane_create` makes them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from meshconfig.cli.cluster import Context, connect
from meshconfig.cli.common import Output, OutputFormat, check_seconds, needs, stderr, stdout
from meshconfig.cli.lane_create import create
from meshconfig.cli.lane_options import Name, Namespace, Timeout, until_gone
from meshconfig.duration import seconds
from meshconfig.errors import ClusterError, InputError
from meshconfig.printable import say, say_json
from meshconfig.spec.preview import moment

PANEL = "Preview lanes of a cluster"


def register(app: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    commands: dict[str, Callable[..., None]] = {"create": create, "list": list_, "extend": extend, "delete": delete}
    for name, command in commands.items():
        app.command(name, rich_help_panel=PANEL)(command)


def list_(namespace: Namespace = "default", context: Context = None, output: OutputFormat = Output.TEXT) -> None:
    """List the preview lanes of a namespace, the oldest first: phase, age, end, versions and link.

    Examples:

        graylane lane list -n demo

        graylane lane list -n demo --output json
    """
    client = connect(context)
    with needs("mesh"):
        from meshconfig.cli.lane_show import as_json, table
        from meshconfig.cluster import preview_write, previews
    found = previews.each(client, namespace)
    if not found:
        preview_write.check_served(client)
    if output is Output.JSON:
        say_json([as_json(one) for one in found])
    elif found:
        stdout().print(table(found, datetime.now(UTC)))
    else:
        stderr().print(f"namespace {namespace} has no preview lanes")


def extend(
    name: Name,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Time from now, such as 4h.", show_default=False)
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Time with its zone, such as 2026-12-01T18:00:00Z.", show_default=False),
    ] = None,
    namespace: Namespace = "default",
    context: Context = None,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Prolong a preview lane: it does not end before the given time. A lane that lives longer anyway stays as it is.

    Sets the annotation `graylane.dev/keep-until`.

    Examples:

        graylane lane extend pr-42 -n demo --for 4h

        graylane lane extend pr-42 -n demo --until 2026-12-01T18:00:00Z
    """
    wanted = _until(for_, until, datetime.now(UTC))
    client = connect(context)
    with needs("mesh"):
        from meshconfig.cli.lane_show import as_json
        from meshconfig.cluster import preview_write, previews
    live = preview_write.known(client, namespace, name)
    if live.deleting:
        raise ClusterError(f"{live.key} is being deleted, so that it cannot be prolonged")
    end, said = live.ends, "lives longer anyway, "
    if end is None or end < wanted:
        live, end, said = previews.keep_until(client, namespace, name, wanted), wanted, ""
    if output is Output.JSON:
        say_json(as_json(live))
    else:
        say(f"lane {namespace}/{name}: {said}until {previews.written(end)}")


def delete(
    name: Name,
    namespace: Namespace = "default",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until its routes and Pods are gone.")] = False,
    timeout: Timeout = 300.0,
    context: Context = None,
) -> None:
    """Delete a preview lane: its routes first, then, after running requests have finished, its Pods.

    A lane that is not there is no error, so that a CI job can run this command when a pull request is closed.

    Exit status: 0 if the deletion is under way, or with --wait if the lane is gone; 1 if it failed; 2 for wrong input.

    Examples:

        graylane lane delete pr-42 -n demo

        graylane lane delete pr-42 -n demo --wait
    """
    check_seconds(timeout=timeout)
    client = connect(context)
    with needs("mesh"):
        from meshconfig.cluster import object_write, preview_write, previews
    live = previews.read(client, namespace, name)
    if live is None:
        preview_write.check_served(client)
        say(f"lane {namespace}/{name}: there is none")
        return
    object_write.check_git(live)
    previews.delete(client, namespace, name)
    if wait:
        until_gone(client, live, timeout)
    say(f"lane {namespace}/{name}: {'deleted' if wait else 'its routes are taken away, then its Pods'}")


def _until(for_: str | None, until: str | None, now: datetime) -> datetime:
    """
    Raises:
        InputError: not one of both, or it is no duration, no time, or over.
    """
    if (for_ is None) == (until is None):
        raise InputError.at("extend", "takes either --for DURATION or --until TIME")
    if for_ is not None:
        try:
            return now + timedelta(seconds=seconds(for_))
        except ValueError as error:
            raise InputError.at("--for", str(error)) from None
    found = moment(until)
    if found is None:
        raise InputError.at("--until", f"takes a time with its zone, such as 2026-12-01T18:00:00Z, not {until!r}")
    if found <= now:
        raise InputError.at("--until", f"{until} is over")
    return found
