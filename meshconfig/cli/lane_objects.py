"""`graylane lane create`, `list`, `extend` and `delete`: preview lanes, which are objects of a cluster."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from meshconfig.cli import completion
from meshconfig.cli.cluster import Context, connect
from meshconfig.cli.common import Output, OutputFormat, check_seconds, needs, stderr, stdout
from meshconfig.duration import seconds
from meshconfig.errors import ClusterError, GraylaneError, InputError
from meshconfig.printable import say, say_json

if TYPE_CHECKING:  # the Kubernetes client takes a third of a second to import
    from meshconfig.cli.lane_wanted import Wanted
    from meshconfig.cluster.client import Client
    from meshconfig.cluster.previews import PreviewObject
    from meshconfig.links import WaysIn
    from meshconfig.spec import LaneGroup

PANEL = "Preview lanes of a cluster"
NewName = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the preview lane: the value of its tag.", show_default=False)
]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="Name of the preview lane.",
        show_default=False,
        autocompletion=completion.preview_lanes,
    ),
]
Namespace = Annotated[
    str,
    typer.Option(
        "-n", "--namespace", help="Namespace of the lane and its LaneGroup.", autocompletion=completion.namespaces
    ),
]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Maximum seconds to wait without progress.")]


def register(app: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    commands: dict[str, Callable[..., None]] = {"create": create, "list": list_, "extend": extend, "delete": delete}
    for name, command in commands.items():
        app.command(name, rich_help_panel=PANEL)(command)


def create(
    name: NewName,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="GROUP",
            help="LaneGroup that the lane belongs to. Required without --file.",
            show_default=False,
            autocompletion=completion.groups,
        ),
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SERVICE=IMAGE",
            help="Container image of a service in this lane. Repeatable.",
            show_default=False,
            autocompletion=completion.service_words,
        ),
    ] = None,
    from_: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="SERVICE=VERSION",
            help="Version whose Deployment is cloned. Repeatable. Default: the baseline's version.",
            show_default=False,
            autocompletion=completion.service_words,
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SERVICE:NAME=VALUE",
            help="Environment variable of a service in this lane. Repeatable.",
            show_default=False,
        ),
    ] = None,
    replicas: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SERVICE=N",
            help="Number of Pods of a service in this lane. Repeatable. Default: 1.",
            show_default=False,
            autocompletion=completion.service_words,
        ),
    ] = None,
    ttl: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Time until the lane ends, such as 8h. Default: 8h.", show_default=False),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "-f",
            "--file",
            metavar="FILE",
            help="File with a Lane, or - for standard input. The other options replace its fields.",
            show_default=False,
        ),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "-n",
            "--namespace",
            help="Namespace of the lane and its LaneGroup. Default: the file's, else default.",
            show_default=False,
            autocompletion=completion.namespaces,
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the lane can be reached.")] = True,
    timeout: Timeout = 300.0,
    context: Context = None,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Create a preview lane, or update the one of this name: requests with its tag go to its own versions.

    The controller clones a Deployment for each service, with the given image, and adds the routes. Services that the
    lane has no version of answer by the baseline's. The lane ends after --ttl; each further create of the same lane
    counts the time anew. So a CI job can run this command for each push.

    Exit status: 0 if the lane can be reached, or with --no-wait if it is written; 1 if it cannot, or if no controller
    answers within 30 seconds; 2 for wrong input.

    Examples:

        graylane lane create pr-42 -n demo --group pets --image cat=registry.example.com/cat:pr-42

        graylane lane create pr-42 -n demo --group pets --image cat=cat:pr-42 --env cat:FLAG=1 --ttl 2d

        graylane lane create pr-42 -f lane.yaml --image cat=cat:pr-42 --output json
    """
    check_seconds(timeout=timeout)
    with needs("mesh"):
        from meshconfig.cli import lane_wanted
        from meshconfig.cluster import preview_write
    options = lane_wanted.VersionOptions(image or (), from_ or (), env or (), replicas or ())
    asked = lane_wanted.wanted(name, namespace, options, file=file, group=group, ttl=ttl)
    client = connect(context)
    spec = _group(client, asked.namespace, asked.group)
    document = asked.document(lambda service: _baseline(spec, asked, service))
    live = _not_ending(client, asked, timeout, wait=wait)
    written = preview_write.put(client, live, document, datetime.now(UTC))
    lane = written.lane
    if wait:
        from meshconfig.cli.following import followed

        lane = followed(client, lane, timeout)
    ways = _ways(spec, lane)
    if output is Output.JSON:
        from meshconfig.cli.lane_show import as_json

        say_json(as_json(lane, ways))
    elif wait:
        from meshconfig.cli.lane_show import reached

        say(*reached(lane, ways))
    else:
        say(f"lane {lane.namespace}/{lane.name}: {'created' if written.created else 'updated'}")


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
        from meshconfig.cluster import preview_write, previews
    live = preview_write.known(client, namespace, name)
    if live.deleting:
        raise ClusterError(f"{live.key} is being deleted, so that it cannot be prolonged")
    if live.expires and live.expires >= wanted:
        end, lane = live.expires, live
    else:
        end, lane = wanted, previews.keep_until(client, namespace, name, wanted)
    if output is Output.JSON:
        from meshconfig.cli.lane_show import as_json

        say_json({**as_json(lane), "expires": previews.written(end)})
    else:
        kept = "lives longer anyway, " if lane is live else ""
        say(f"lane {namespace}/{name}: {kept}until {previews.written(end)}")


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
        _gone(client, live, timeout)
    say(f"lane {namespace}/{name}: {'deleted' if wait else 'its routes are taken away, then its Pods'}")


def _not_ending(client: "Client", asked: "Wanted", timeout: float, *, wait: bool) -> "PreviewObject | None":
    """The object of a lane that is there. One that is about to go is awaited: a pull request was closed and reopened.

    Raises:
        ClusterError: it is about to go, and nobody waits.
    """
    from meshconfig.cluster import previews

    live = previews.read(client, asked.namespace, asked.name)
    if live is None or not live.deleting:
        return live
    if not wait:
        raise ClusterError(f"nothing was written: {live.key} is being deleted; try again once it has gone")
    _gone(client, live, timeout)
    return None


def _gone(client: "Client", live: "PreviewObject", timeout: float) -> None:
    from meshconfig.cli.following import followed
    from meshconfig.cluster import previews

    left = previews.read(client, live.namespace, live.name)
    if left and left.uid == live.uid:
        followed(client, left, timeout, deleting=True)


def _group(client: "Client", namespace: str, name: str) -> "LaneGroup | None":
    """The spec of the lane's group; None where there is no such object yet, or it cannot be read."""
    from meshconfig.cluster import lanegroups

    try:
        found = lanegroups.read(client, namespace, name)
        return found.spec() if found else None
    except GraylaneError:  # the lane's status says what is wrong with the group
        return None


def _baseline(group: "LaneGroup | None", asked: "Wanted", service: str) -> str:
    """The version that is cloned where nobody has named one.

    Raises:
        InputError: the group does not say.
    """
    option = InputError.at("--from", f"is missing for {service}: give --from {service}=VERSION")
    if group is None:
        raise InputError.at(
            "--from",
            f"is missing for {service}, and LaneGroup {asked.namespace}/{asked.group} cannot be read for its "
            f"baseline: give --from {service}=VERSION",
        )
    if service not in group.spec.services:
        from meshconfig.errors import nearest

        hint = nearest(service, group.spec.services)
        raise InputError.at("--image", f"LaneGroup {asked.group} has no service {service}{hint}")
    found = group.service(service).baseline
    if found is None:
        raise option
    return found


def _ways(group: "LaneGroup | None", lane: "PreviewObject") -> "list[WaysIn]":
    """The ways into the lane at each entry of its group."""
    if group is None:
        return []
    from meshconfig import links
    from meshconfig.spec import Lane

    lanes = {group.spec.tag.default: group.spec.lanes[group.spec.tag.default], lane.name: Lane()}
    spec = group.spec.model_copy(update={"lanes": lanes})
    return [one for one in links.ways_in(group.model_copy(update={"spec": spec})) if one.lane == lane.name]


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
    try:
        found = datetime.fromisoformat(str(until))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InputError.at("--until", f"takes a time with its zone, such as 2026-12-01T18:00:00Z, not {until!r}")
    if found <= now:
        raise InputError.at("--until", f"{until} is over")
    return found
