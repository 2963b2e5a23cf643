"""`graylane lane create`: a preview lane, written as an object and followed until it can be reached."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from meshconfig.cli import completion
from meshconfig.cli.cluster import Context, connect
from meshconfig.cli.common import Output, OutputFormat, check_seconds, needs
from meshconfig.cli.lane_options import Timeout, until_gone
from meshconfig.errors import ClusterError, GraylaneError, InputError, nearest
from meshconfig.printable import say, say_json

if TYPE_CHECKING:  # the Kubernetes client takes a third of a second to import
    from meshconfig.cli.lane_wanted import Wanted
    from meshconfig.cluster.client import Client
    from meshconfig.cluster.previews import PreviewObject
    from meshconfig.links import WaysIn
    from meshconfig.spec import LaneGroup

NewName = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the preview lane: the value of its tag.", show_default=False)
]


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
    until_gone(client, live, timeout)
    return None


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
    if group is None:
        raise InputError.at(
            "--from",
            f"is missing for {service}, and LaneGroup {asked.namespace}/{asked.group} cannot be read for its "
            f"baseline: give --from {service}=VERSION",
        )
    if service not in group.spec.services:
        hint = nearest(service, group.spec.services)
        raise InputError.at("--image", f"LaneGroup {asked.group} has no service {service}{hint}")
    found = group.service(service).baseline
    if found is None:
        raise InputError.at("--from", f"is missing for {service}: give --from {service}=VERSION")
    return found


def _ways(group: "LaneGroup | None", lane: "PreviewObject") -> "list[WaysIn]":
    """The ways into the lane at each entry of its group."""
    if group is None:
        return []
    from meshconfig import links
    from meshconfig.spec import Lane

    spec = group.spec.model_copy(update={"lanes": {**group.spec.lanes, lane.name: Lane()}})
    versions = lane.spec().spec.versions
    return links.ways_into(group.model_copy(update={"spec": spec}), lane.name, versions)
