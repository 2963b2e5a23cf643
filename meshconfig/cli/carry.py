"""`graylane carry`: which versions carry the tag on, and which calls lost it."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType

from meshconfig import duration
from meshconfig.cli.background import stopped
from meshconfig.cli.cluster import Context, Namespace, connect
from meshconfig.cli.common import Output, OutputFormat, answering_by_exit_status, needs, stdout
from meshconfig.cli.console import Table, Text
from meshconfig.errors import GraylaneError, InputError
from meshconfig.printable import say, say_json

if TYPE_CHECKING:  # the Kubernetes client takes a third of a second to import
    from meshconfig.carry import LostCall, VersionCarry
    from meshconfig.cluster.carry_pods import PodVersions
    from meshconfig.otlp import Listen, LogRecord
    from meshconfig.rollout.prometheus import Prometheus
    from meshconfig.spec import LaneGroup

SHOWN = 5  # lost calls of a version in text
DOCS = "docs/carry.md says how to set it up"


@dataclass(frozen=True, slots=True)
class Carried:
    """What was found of one group."""

    group: "LaneGroup"
    versions: "Sequence[VersionCarry]"

    @property
    def name(self) -> str:
        return f"{self.group.metadata.namespace}/{self.group.metadata.name}"


@answering_by_exit_status()
def command(
    namespace: Namespace = "default",
    prometheus: Annotated[
        str | None,
        typer.Option(
            "--prometheus",
            metavar="URL",
            help="Prometheus that has Istio's metrics with the label lane.",
            show_default=False,
        ),
    ] = None,
    otlp: Annotated[
        list[str] | None,
        typer.Option(
            "--otlp-listen",
            metavar="ADDRESS",
            help="Receive access logs at HOST:PORT or grpc://HOST:PORT by gRPC, or at http://HOST:PORT. Repeatable.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        str, typer.Option(metavar="DURATION", help="Time to look back in Prometheus, or to receive access logs for.")
    ] = "5m",
    least: Annotated[
        float, typer.Option("--min", metavar="PERCENT", help="Exit with 1 if a version carries less than this.")
    ] = 99,
    context: Context = None,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Show per service and version how many of its calls for tagged requests still had the tag, and which lost it.

    A version that requests of one lane alone reach is judged by its calls without this lane's tag. Any other version
    is judged only where it carries x-request-id on, which metrics do not have; else it is unknown.

    Exit status: 0 if no version is known to carry less than --min, 1 if one does, 2 for every error, such as no access
    log. Ctrl-C ends --otlp-listen before its time and prints what is known.

    Examples:

        graylane carry -n demo --prometheus http://127.0.0.1:9090

        graylane carry -n demo --prometheus http://127.0.0.1:9090 --window 1h --min 99.9

        graylane carry -n demo --otlp-listen 0.0.0.0:4317 --window 10m

        graylane carry -n demo --otlp-listen http://127.0.0.1:4318 --output json
    """
    if bool(prometheus) == bool(otlp):
        raise InputError.at("graylane carry", "needs one of --prometheus URL and --otlp-listen ADDRESS")
    if not 0 <= least <= 100:
        raise InputError.at("--min", f"takes a percentage from 0 to 100, not {least:g}")
    seconds = _seconds(window)
    addresses = listens(otlp or [])
    client = connect(context)
    with needs("carry"):
        from meshconfig.cluster.carry_pods import PodVersions, groups_of
    known = [(group, PodVersions(client, group)) for group in groups_of(client, namespace)]
    found = _from_prometheus(known, prometheus, seconds) if prometheus else _received(known, addresses, seconds)
    if output is Output.JSON:
        say_json(_as_json(found, "prometheus" if prometheus else "otlp", least))
    else:
        stdout().print(Group(*_shown(found, least / 100)))
    sys.exit(1 if any(version.below(least / 100) for one in found for version in one.versions) else 0)


def _seconds(window: str) -> float:
    try:
        seconds = duration.seconds(window)
    except ValueError as error:
        raise InputError.at("--window", str(error)) from None
    if seconds < 1:
        raise InputError.at("--window", f"takes a second or more, not {window}")
    return seconds


def listens(addresses: Sequence[str]) -> "list[Listen]":
    """The addresses that `--otlp-listen` names.

    Raises:
        InputError: one is of another form.
    """
    from meshconfig.otlp import Listen

    try:
        return [Listen.parse(one) for one in addresses]
    except ValueError as error:
        raise InputError.at("--otlp-listen", str(error)) from None


def prometheus_at(url: str) -> "Prometheus":
    """The server that `--prometheus` names, and no other.

    Raises:
        InputError: the URL is none.
    """
    from meshconfig.exchange.allowed import Allowed
    from meshconfig.exchange.urls import parse_url
    from meshconfig.rollout.prometheus import Prometheus

    try:
        parts = parse_url(url)
    except ValueError as error:
        raise InputError.at("--prometheus", str(error)) from None
    host = f"[{parts.host}]" if ":" in parts.host else parts.host
    return Prometheus(url, Allowed.of([f"{host}:{parts.port}"]))


def _from_prometheus(known: "Sequence[tuple[LaneGroup, PodVersions]]", url: str, seconds: float) -> list[Carried]:
    """What Prometheus says of the groups.

    Raises:
        InputError: the URL is none.
        GraylaneError: it does not answer, or has no requests with the label.
    """
    from meshconfig.carry import metrics

    server = prometheus_at(url)
    found = []
    try:
        for group, pods in known:
            received, called = (server.series(query) for query in metrics.queries(group, seconds))
            if metrics.lacks_label([*received, *called]):
                raise GraylaneError(f"istio_requests_total has no label lane there: {DOCS}")
            found.append(Carried(group, metrics.judge(group, pods.workloads, received, called)))
    finally:
        server.close()
    if not any(one.versions for one in found):
        raise GraylaneError(f"no request of these Pods in the last {duration.written(seconds)} there: {DOCS}")
    return found


def _received(
    known: "Sequence[tuple[LaneGroup, PodVersions]]", listens: "Sequence[Listen]", seconds: float
) -> list[Carried]:
    """What the access logs say that come in this time.

    Raises:
        GraylaneError: none came, none of a Pod of the groups, or an address cannot be listened on.
    """
    from meshconfig.carry import AccessLog, CarryJudge, sole_lanes
    from meshconfig.otlp import Intake, listening

    readers = [(AccessLog(group, pods.find), CarryJudge(sole_lanes(group))) for group, pods in known]
    intake, end, came, of_group = Intake(), time.monotonic() + seconds, 0, 0

    def read(records: "Sequence[LogRecord]") -> None:
        nonlocal came, of_group
        now = time.monotonic()
        came += len(records)
        for record in records:
            for log, judge in readers:
                if one := log.read(record.attributes, record.time):
                    judge.add(one, now)
                    of_group += 1

    # What a sender was told to have arrived is counted: Ctrl-C does not interrupt the counting.
    with needs("carry"), stopped() as stop, listening(listens, intake) as at:
        where = ", ".join(map(str, at))
        say(f"listening at {where} for {duration.written(seconds)}; Ctrl-C ends it", error=True)
        while not stop.is_set() and (records := intake.until(end)) is not None:
            read(records)
    read(intake.take(0))
    if intake.refused:
        say(f"{intake.refused} messages were refused, because more came than could be read", error=True)
    if not of_group:
        what = f"{came} records came, and none is of a Pod of the group" if came else f"no access log came to {where}"
        raise GraylaneError(f"{what}: {DOCS}")
    return [
        Carried(group, judge.report(time.monotonic())) for (group, _), (_, judge) in zip(known, readers, strict=True)
    ]


def _as_json(found: Sequence[Carried], source: str, least: float) -> Any:
    from meshconfig.carry import as_json

    return {
        "source": source,
        "min": least,
        "groups": [
            {
                "namespace": one.group.metadata.namespace,
                "group": one.group.metadata.name,
                "versions": [as_json(version) for version in one.versions],
            }
            for one in found
        ],
    }


def _shown(found: Sequence[Carried], least: float) -> Iterator[RenderableType]:
    for one in found:
        yield Text(f"group {one.name}", "bold")
        yield _table(one.versions, least)
        for version in one.versions:
            yield from _lost(version)


def _table(versions: "Sequence[VersionCarry]", least: float) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("service", "version"):
        table.add_column(name)
    for name in ("requests", "calls", "carried", "lost", "carry rate"):
        table.add_column(name, justify="right")
    table.add_column("judged by")
    for one in versions:
        calls = sum(count for edge in one.edges for count in edge.calls.values())
        counts = [f"{count:.0f}" for count in (sum(one.requests.values()), calls, one.carried, one.lost)]
        table.add_row(one.workload.service, one.workload.version, *counts, _rate(one, least), _by(one))
    return table


def _rate(one: "VersionCarry", least: float) -> Text:
    if one.rate is None:
        return Text("unknown", "dim")
    # Never rounded up to a hundred: one lost call of a million is a lost call.
    percent = min(one.rate * 100, 99.99) if one.lost else 100
    return Text(f"{percent:.4g} %", "red" if one.below(least) else "green")


def _by(one: "VersionCarry") -> str:
    if not one.judged:
        return one.reason
    lanes = f"lane {', '.join(one.requests)}" if one.judged == "lane" else "request id"
    return f"{lanes}; {one.unjudged:.0f} calls unknown" if one.unjudged else lanes


def _lost(one: "VersionCarry") -> Iterator[Text]:
    """The newest of the calls that lost the tag, and the edges that have none of them listed."""
    if one.lost_calls:
        yield Text(f"lost by {one.workload}:")
        yield from (_call(call) for call in one.lost_calls[-SHOWN:])
        if (more := round(one.lost) - len(one.lost_calls[-SHOWN:])) > 0:
            yield Text(f"  and {more} more; --output json lists up to {len(one.lost_calls)}", "dim")
    else:
        for edge in (edge for edge in one.edges if edge.lost):
            yield Text(f"lost by {one.workload}: {edge.lost:.0f} calls to {edge.callee}")


def _call(call: "LostCall") -> Text:
    told = call.as_json()
    sent = "without a tag" if call.sent == "(none)" else f"with {call.sent}"
    return Text(f"  {told['time']}  {call.pod} → {call.callee}  {call.path}  {call.code}  {sent}, for {call.lane}")
