"""`graylane explain`: which route takes a request, which version answers, and why the earlier routes do not."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any

import typer

from meshconfig.cli import completion, explain_text
from meshconfig.cli.batch import batch
from meshconfig.cli.common import BackendOption, Output, OutputFormat, backend_name, print_lines, read_groups
from meshconfig.cli.explain_input import read, read_cluster
from meshconfig.cli.sources import default_source
from meshconfig.errors import InputError
from meshconfig.explain import NOTHING, Asked, Hop, Names, bucket_notes, request, unknown_lanes
from meshconfig.istio.gateway_api import Reported
from meshconfig.printable import say_json
from meshconfig.simulate import Decision, Index, NearMiss, Request, Step, conditions, follow, near_misses, simulate

FAILED = 1


class Scheme(StrEnum):
    HTTP = "http"
    HTTPS = "https"


Files = Annotated[
    list[str] | None,
    typer.Option(
        "-f",
        "--file",
        metavar="FILE",
        help="Specs, manifests, a directory of either, or - for standard input. Repeatable. "
        "Default: ./graylane.yaml, or none with --live.",
        show_default=False,
    ),
]


Namespace = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--namespace",
        help="Namespace of manifests and of short names that name none; with --live, the one to read.",
        show_default=False,
        autocompletion=completion.namespaces,
    ),
]
AllNamespaces = Annotated[bool, typer.Option("-A", "--all-namespaces", help="With --live, read all namespaces.")]
Context = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="NAME",
        help="With --live, context in the kubeconfig. Default: its current context.",
        show_default=False,
    ),
]


def command(
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="H",
            help="Host of the request, or a whole URL; inside the mesh, the name of a service.",
            show_default=False,
        ),
    ] = None,
    file: Files = None,
    topic: Annotated[
        str | None,
        typer.Option(
            "--topic",
            metavar="T",
            help="Instead of a request, a message on this topic, or for this consumer of the spec.",
            show_default=False,
        ),
    ] = None,
    lane: Annotated[
        str | None,
        typer.Option(
            "--lane",
            metavar="LANE",
            help="Lane of the message, with --topic. Default: that of the tag in --header, or none.",
            show_default=False,
            autocompletion=completion.lanes,
        ),
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(
            "--path", metavar="P", help="Path of the request, with its query. Default: /.", show_default=False
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="K:V", help="Header of the request. Repeatable.", show_default=False),
    ] = None,
    method: Annotated[str, typer.Option("--method", "-X")] = "GET",
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SENDER",
            help="Who sends the request: a service, NAMESPACE/WORKLOAD, or NAMESPACE/ for any of its Pods. "
            "Default: a client outside, or any Pod for a host that no Gateway has.",
            show_default=False,
            autocompletion=completion.services,
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="N",
            help="Port that is called. Default: that in --host, else 80 or 443, else the one that serves the host.",
            show_default=False,
        ),
    ] = None,
    scheme: Annotated[
        Scheme | None, typer.Option("--scheme", help="Scheme of the request. Default: http.", show_default=False)
    ] = None,
    gateway: Annotated[
        str | None,
        typer.Option(
            "--gateway",
            metavar="NS/NAME",
            help="Gateway at which the request arrives. Default: the first that serves the host.",
            show_default=False,
        ),
    ] = None,
    chain: Annotated[
        str | None,
        typer.Option(
            "--chain",
            metavar="A,B,…",
            help="Follow the request through these services, each calling the next.",
            show_default=False,
        ),
    ] = None,
    namespace: Namespace = None,
    live: Annotated[
        bool, typer.Option("--live", help="Read what the cluster has now; files then take the place of what they name.")
    ] = False,
    everywhere: AllNamespaces = False,
    context: Context = None,
    backend: BackendOption = None,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Show how Istio and Envoy would route one request, by specs, manifests of any origin, or what a cluster has.

    Where a VirtualService nearly fits and is not used, it is named with the reason. --live only reads; which rights it
    takes: docs/explain.md.

    Exit status: 1 if no version would answer the request, else 0.

    Examples:

        graylane explain -f graylane.yaml --host cat.example.com --path /sayHello --header env:gray

        graylane explain -f graylane.yaml --from cat --host mouse --header env:gray

        graylane explain -f graylane.yaml --host cat.example.com -H env:gray --chain cat,mouse

        graylane explain -f k8s/ --host https://shop.example.com:8443/cart?id=1

        graylane explain -f k8s/ --from demo/web --host reviews -H end-user:jason

        graylane explain --live -A --from demo/web --host reviews.demo:9080

        graylane explain -f graylane.yaml --topic orders --lane gray
    """
    if topic is not None:
        if host is not None or live or chain or source:
            raise InputError.at("--topic", "asks about a message: leave --host, --from, --chain and --live away")
        _explain_message(file, topic, lane, header or (), output)
        return
    if lane is not None:
        raise InputError.at("--lane", "is for --topic; a request has its lane in a header: -H env:LANE")
    if host is None:
        raise InputError.at("--host", "is missing: give the host of a request, or --topic for a message")
    if everywhere and not live:
        raise InputError.at("--all-namespaces", "is for --live")
    if not file and not live:
        file = [default_source()]
    cluster = read_cluster(context, None if everywhere else namespace or "default") if live else NOTHING
    with batch():
        given = read(file or (), namespace or "default", cluster, backend_name(backend))
    names, headers = Names(given), _headers(header or ())
    asked = Asked(host, path, headers, method, source, port, scheme.value if scheme else None, gateway, namespace)
    made, origin = request(names, asked)
    decision = simulate(given.index, made)
    misses = near_misses(given.index, made, decision)
    said = conditions(given.index, made)
    notes = [*given.notes, *unknown_lanes(given, headers), *bucket_notes(names, made, decision)]
    hops = [_hop(names, name.strip(), namespace) for name in chain.split(",")] if chain else []
    steps = _steps(given.index, made, hops, names)
    if output is Output.JSON:
        shown = [_json_step(step, names, hops) for step in steps] if chain else _json(decision, misses, said, notes)
        say_json(shown, default=_plain)
    else:
        origin = "" if given.only_specs else origin
        text = explain_text.lines(made, origin, decision, misses, said, notes, names)
        print_lines([*text, *explain_text.chain_lines(steps, names, hops)])
    if not decision.destinations:
        raise typer.Exit(FAILED)


def _hop(names: Names, name: str, namespace: str | None) -> Hop:
    if (hop := names.hop(name, namespace)) is None:
        raise InputError.at("--chain", names.unknown(name))
    return hop


def _explain_message(
    file: Sequence[str] | None, topic: str, lane: str | None, header: Iterable[str], output: Output
) -> None:
    from meshconfig.cli.explain_message import handlers, lines

    with batch():
        given = read_groups(file or [default_source()])
    found = handlers(given, topic, lane, _headers(header))
    if output is Output.JSON:
        say_json([asdict(one) for one in found])
    else:
        print_lines(lines(found))


def _steps(index: Index, made: Request, hops: Sequence[Hop], names: Names) -> tuple[Step, ...]:
    if not hops:
        return ()
    return follow(index, made, [(hop.host, hop.port) for hop in hops], carrying=names.carrying)


def _headers(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    pairs = [(name.strip(), colon, value.strip()) for name, colon, value in (one.partition(":") for one in given)]
    for name, colon, _ in pairs:
        if not colon or not name:
            raise InputError.at("--header", f"takes NAME:VALUE, not {name!r}")
    return tuple((name, value) for name, _, value in pairs)


def _json(
    decision: Decision, misses: Sequence[NearMiss], said: Sequence[Reported], notes: Sequence[str]
) -> dict[str, Any]:
    return {
        **asdict(decision),
        "near_misses": [asdict(one) for one in misses],
        "conditions": [asdict(one) for one in said],
        "notes": list(notes),
    }


def _json_step(step: Step, names: Names, hops: Sequence[Hop]) -> dict[str, Any]:
    return {
        "probability": step.probability,
        "outcomes": [asdict(one) for one in step.outcomes],
        "lost": list(explain_text.losses(step, names, hops)),
    }


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Fraction) else str(value)
