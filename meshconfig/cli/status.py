"""`graylane status`: which versions serve which requests, with how many Pods, and what has drifted."""

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType

from meshconfig.cli.cluster import Context, GroupName, Istiod, Namespace, connect
from meshconfig.cli.common import Output, OutputFormat, answering_by_exit_status, needs
from meshconfig.cli.console import Table, Text
from meshconfig.cli.history import STYLES, known, when, who
from meshconfig.cli.watch import View, follow
from meshconfig.draws import from_to

if TYPE_CHECKING:  # the Kubernetes client takes a third of a second to import
    from meshconfig.cluster.status import (
        ConsumerState,
        EntryState,
        GroupStatus,
        Lane,
        ObjectState,
        PodCount,
        PreviewState,
        ServiceState,
        Status,
    )

BARRIER = {"verified": "green", "pending": "yellow", "unverified": "yellow"}
CONDITIONS = {"Ready": "green", "Reconciling": "cyan", "Stalled": "red", "Drifted": "yellow"}
PHASES = {"Ready": "green", "Pending": "cyan", "Failed": "red", "Ending": "yellow"}


@answering_by_exit_status()
def command(
    group: GroupName,
    namespace: Namespace = "default",
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every 2 seconds, until Ctrl-C.")] = False,
    istiod: Istiod = None,
    context: Context = None,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Show each service and lane of a group: the version, its Pods and its share of requests.

    Also shows which resources differ from the last apply and who changed them, and whether every proxy has acknowledged
    the configuration that istiod sent to it. Of a group with a LaneGroup object, it shows how far the controller has
    come with its spec, which rollouts lie over it, and its preview lanes with their ends.

    Exit status: 0 if all is well, 1 if a resource has drifted, Pods are missing, the last apply did not succeed or the
    object is not ready, 2 for every error, such as no cluster. In a pipe, --watch prints one block per change, with
    --output json one line.

    Examples:

        graylane status pets -n demo

        graylane status pets -n demo --watch

        graylane status pets -n demo --output json
    """
    client = connect(context)
    with needs("mesh"):
        from meshconfig.cluster import lanegroups
        from meshconfig.cluster.status import GroupLooker, GroupStatus
    one = lanegroups.find(client, namespace, group)
    past = None if one else known(client, namespace, group)
    looker = GroupLooker(client, namespace, group, istiod=istiod)
    status = looker.look(one, past)
    view = View(_shown, GroupStatus.as_json)
    if watch:
        status = follow(status, lambda: looker.look(lanegroups.find(client, namespace, group)), view, output)
    else:
        view.print(status, output)
    sys.exit(0 if status.healthy else 1)


def _shown(status: "GroupStatus", error: str = "") -> RenderableType:
    problems = [Text(line, "red") for line in (*status.problems, *([error] if error else []))]
    stated = [*(_stated(status.stated) if status.stated else ()), *map(_preview, status.previews)]
    mesh = status.mesh
    if mesh is None:
        name = Text.assemble((f"group {status.namespace}/{status.group}", "bold"))
        return Group(name, *stated, *problems, Text(f"the mesh was not read: {status.unread}", "dim"))
    consumers = [_consumers(mesh.consumers)] if mesh.consumers else []
    return Group(*_head(mesh), *stated, *problems, _table(mesh.services), *consumers, *map(_entry, mesh.entries))


def _stated(one: "ObjectState") -> Iterator[Text]:
    """What the group's object says."""
    seen = "" if one.observed == one.generation else f", observed {one.observed}"
    revision = f"   revision {one.revision}" if one.revision else ""
    lanes = f"   lanes {', '.join(one.lanes)}" if one.lanes else ""
    yield Text(f"object generation {one.generation}{seen}{revision}{lanes}")
    for condition in (each for each in one.conditions if each.status):
        said = f": {condition.message}" if condition.kind in ("Ready", "Drifted") and condition.message else ""
        style = CONDITIONS.get(condition.kind, "")
        yield Text.assemble(
            ("  ", ""), (condition.kind, style), f" ({condition.reason}) since {condition.since or '?'}{said}"
        )
    if one.rollouts:
        yield Text(f"  over its spec: rollout {', '.join(one.rollouts)}", "yellow")


def _preview(one: "PreviewState") -> Text:
    """What the Lane object of a preview lane says."""
    until = f"   until {one.expires}" if one.expires else ""
    more = "".join(f"   {each}" for each in (one.link, one.message) if each)
    phase = one.phase or "not observed yet"
    return Text.assemble(f"preview {one.name} ", (phase, PHASES.get(one.phase, "")), f"{until}{more}")


def _head(status: "Status") -> Iterator[Text]:
    from meshconfig.cluster.status import barrier

    one, outcome, followed = status.revision, status.outcome.value, status.followed
    yield Text.assemble(
        (f"group {one.namespace}/{one.group}", "bold"),
        f"   revision {one.number} ({one.action}) ",
        (outcome, STYLES[outcome]),
        f"   {when(one.started)} by {who(one)}",
    )
    state = barrier(status)
    count = "" if followed.proxies is None else f": {followed.acknowledged} of {followed.proxies} proxies have it all"
    reason = f" ({followed.reason})" if followed.reason else ""
    yield Text.assemble("barrier ", (state, BARRIER[state]), f"{count}{reason}")
    if one.adopted:
        back = f"graylane rollback {one.group} -n {one.namespace} --to 0"
        yield Text(f"adopted: {len(one.adopted)} resources of others, which `{back}` gives back", "dim")
    if held := status.lock:
        since = f" since {when(held.since)}" if held.since else ""
        expired = ", expired: make sure that nobody is at it, then apply with --break-lock" if held.expired else ""
        yield Text(f"locked by {held.name}{since}{expired}", "yellow")


def _table(services: "Iterable[ServiceState]") -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("service", "lane", "version"):
        table.add_column(name)
    table.add_column("share", justify="right")
    table.add_column("Pods", justify="right")
    table.add_column("")
    for service in services:
        for row in _rows(service):
            table.add_row(*row)
    return table


def _consumers(consumers: "Iterable[ConsumerState]") -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("consumer", "lane", "version", "group or queue", "Pods", ""):
        table.add_column(name)
    for one in consumers:
        pods, names = {version.name: version.pods for version in one.versions}, dict(one.names)
        for lane, version, own in one.lanes:
            table.add_row(
                one.name, lane, version, Text(names[version]), _pods(pods[version]), "" if own else "fallback"
            )
    return table


def _rows(service: "ServiceState") -> "Iterator[tuple[str | Text, ...]]":
    """The versions of each lane, then the versions that get no request."""
    pods = {version.name: version.pods for version in service.versions}
    for lane in service.lanes:
        name = lane.name or "(untagged)"
        for share in lane.shares:
            cells = (_percent(share.percent), _pods(pods.get(share.version)))
            yield (service.name, name, share.version, *cells, _how(lane))
        if not lane.shares:
            yield (service.name, name, "", "", "", _how(lane))
    for copy in service.copies:
        yield (service.name, "(copies)", copy.version, _percent(copy.percent), _pods(pods.get(copy.version)), "")
    used = {share.version for lane in service.lanes for share in lane.shares} | {one.version for one in service.copies}
    for version in [name for name in pods if name not in used]:
        yield (service.name, "", version, _percent(0), _pods(pods[version]), "")


def _how(lane: "Lane") -> str:
    return {
        "own": "",
        "runtime": "while healthy",
        "fallback": "fallback",
        "refused": "503: strict, no version here",
        "none": "no VirtualService: any Pod",
    }[lane.how.value]


def _percent(share: float) -> str:
    return f"{share:.4g} %"


def _pods(pods: "PodCount | None") -> Text:
    if pods is None:
        return Text("?", "dim")
    return Text(f"{pods.ready}/{pods.wanted}", "green" if 0 < pods.ready >= pods.wanted else "red")


def _entry(one: "EntryState") -> Text:
    split = ", ".join(f"{_percent(share)} {lane}" for lane, share in one.split) or "no split"
    doors = "".join(f"; by {way}: {', '.join(lanes)}" for way, lanes in one.doors.items())
    return Text(f"entry {', '.join(one.hosts)}: {split}{_sticky(one)}{doors}")


def _sticky(one: "EntryState") -> str:
    if one.sticky is None:
        return ""
    owned = ", ".join(f"{owner} {from_to(first, last)}" for owner, first, last in one.sticky.runs)
    return f"; {one.sticky.buckets} buckets in {one.sticky.cookie}: {owned}"
