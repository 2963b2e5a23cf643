"""`graylane explain`: which route takes a request, which version answers, and why the earlier routes do not."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from meshconfig.cli import completion
from meshconfig.cli.batch import batch
from meshconfig.cli.common import Files, Line, Output, OutputFormat, models, print_lines
from meshconfig.errors import InputError, nearest
from meshconfig.istio import Resources
from meshconfig.model import Model, Service
from meshconfig.render import render
from meshconfig.simulate import (
    ANY_GATEWAY,
    Carrying,
    Decision,
    Destination,
    Index,
    Outcome,
    Request,
    Step,
    follow,
    loss,
    simulate,
)

FAILED = 1


def command(
    file: Files,
    host: Annotated[
        str, typer.Option("--host", metavar="H", help="Host of the request; inside the mesh, the name of a service.")
    ],
    path: Annotated[str, typer.Option("--path", metavar="P", help="Path of the request, with its query.")] = "/",
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="K:V", help="Header of the request. Repeatable.", show_default=False),
    ] = None,
    method: Annotated[str, typer.Option("--method", "-X")] = "GET",
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SERVICE",
            help="Service that sends the request. Default: a client outside, through the gateway.",
            show_default=False,
            autocompletion=completion.services,
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
    output: OutputFormat = Output.TEXT,
) -> None:
    """Show how Istio and Envoy would route one request, computed without a cluster.

    Exit status: 1 if no version would answer the request, else 0.

    Examples:

        graylane explain -f graylane.yaml --host cat.example.com --path /sayHello --header env:gray

        graylane explain -f graylane.yaml --from cat --host mouse --header env:gray

        graylane explain -f graylane.yaml --host cat.example.com -H env:gray --chain cat,mouse
    """
    with batch():
        compiled = models(file)
        index = Index(Resources.parse(render(compiled)))
    names = Names(compiled, ", ".join(file))
    request = _request(names, host, path, _headers(header or ()), method, source)
    decision = simulate(index, request)
    hops = [names.service(name.strip()) for name in chain.split(",")] if chain else []
    steps = follow(index, request, [(hop.host, hop.port) for hop in hops], carrying=names.carrying) if hops else ()
    if output is Output.JSON:
        shown = [_json_step(step, names, hops) for step in steps] if chain else asdict(decision)
        print(json.dumps(shown, indent=2, default=_plain))
    else:
        print_lines([*_lines(request, decision, names), *_chain_lines(steps, names, hops)])
    if not decision.destinations:
        raise typer.Exit(FAILED)


class Names:
    """Translates a host and subset of Istio's resources to the service and version of the spec."""

    def __init__(self, compiled: Sequence[Model], files: str) -> None:
        self.services = {service.name: service for model in compiled for service in model.services}
        self.by_host = {service.host: service for service in self.services.values()}
        self.files = files
        self.models = {service.host: model for model in compiled for service in model.services}
        self.carrying = Carrying(
            tuple(sorted({model.tag for model in compiled})),
            {service.host: service.carries for service in self.services.values()},
        )

    def service(self, name: str) -> Service:
        """Find a service by its name in the spec, its Service's name or its full host.

        Raises:
            InputError: no service has that name.
        """
        for service in (self.services.get(name), self.by_host.get(name)):
            if service:
                return service
        for service in self.services.values():
            if service.resource.name == name:
                return service
        raise InputError.at(self.files, f"there is no service {name}{nearest(name, self.services)}")

    def version(self, destination: Destination) -> str:
        service = self.by_host.get(destination.host)
        name = service.name if service else destination.host
        return f"{name} / {destination.subset}" if destination.subset else name


def _headers(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    pairs = [(name.strip(), colon, value.strip()) for name, colon, value in (one.partition(":") for one in given)]
    for name, colon, _ in pairs:
        if not colon or not name:
            raise InputError.at("--header", f"takes NAME:VALUE, not {name!r}")
    return tuple((name, value) for name, _, value in pairs)


def _request(
    names: Names, host: str, path: str, headers: tuple[tuple[str, str], ...], method: str, source: str | None
) -> Request:
    if source is None:
        try:
            parts = urlsplit(host if "//" in host else f"//{host}")
        except ValueError:
            raise InputError.at("--host", f"{host!r} is no host") from None
        return Request(parts.netloc, path, method.upper(), headers, gateway=ANY_GATEWAY, scheme=parts.scheme or "http")
    sender, target = names.service(source), names.service(host)
    return Request(target.host, path, method.upper(), headers, source_namespace=sender.namespace, port=target.port)


def _lines(request: Request, decision: Decision, names: Names) -> list[Line]:
    sent = "  ".join(f"{name}: {value}" for name, value in request.headers)
    lines = [(f"{request.method} {request.host}{request.path}" + (f"   {sent}" if sent else ""), "bold")]
    seen = ""
    for skipped in decision.skipped:
        lines += _heading(skipped.route.virtual_service, seen)
        seen = skipped.route.virtual_service
        lines.append(_row("no ", skipped.route.name or f"http[{skipped.route.index}]", str(skipped), "dim"))
    if decision.route:
        lines += _heading(decision.route.virtual_service, seen)
        lines.append(_row("yes", decision.route.name or f"http[{decision.route.index}]", "takes it", "green"))
    lines += [_share(share.outcome, share.probability, names, sent=bool(request.headers)) for share in decision.shares]
    lines += [(f"copied to {mirror} ({_percent(mirror.share)})", "dim") for mirror in decision.mirrors]
    # The decision's assumptions (that Services exist) follow from the spec, so the text leaves them out; JSON has them.
    return lines + [(f"not decided: {one}", "yellow") for one in decision.undecided]


def _heading(virtual_service: str, seen: str) -> list[Line]:
    return [] if virtual_service == seen else [(f"  VirtualService {virtual_service}", "")]


def _row(mark: str, name: str, text: str, style: str) -> Line:
    return (f"    {mark} {name:<12} {text}", style)


def _share(outcome: Outcome, probability: Fraction, names: Names, *, sent: bool) -> Line:
    share = "" if probability == 1 else f"{_percent(probability):>6} "
    if not isinstance(outcome, Destination):
        return (f"→ {share}{outcome}", "red")
    labels = ", ".join(f"{name}={value}" for name, value in outcome.labels)
    place = f"{outcome.host}:{outcome.port}" + (f", Pods with {labels}" if labels else "")
    headers = "  ".join(f"{name}: {value}" for name, value in outcome.headers) or (
        "none of these headers" if sent else ""
    )
    return (f"→ {share}{names.version(outcome)}   ({place})   it sees {headers or 'no header of these'}", "bold")


def _percent(share: Fraction) -> str:
    return f"{float(share):.4g}" if share < Fraction(1, 1000) else f"{float(share) * 100:.3g} %"


def _chain_lines(steps: Sequence[Step], names: Names, hops: Sequence[Service]) -> list[Line]:
    if not steps:
        return []
    ways = [line for step in steps for line in _chain(step, names, hops)]
    return [("", ""), ("along the chain:", "bold"), *ways]


def _chain(step: Step, names: Names, hops: Sequence[Service]) -> Iterator[Line]:
    way = " → ".join(names.version(one) if isinstance(one, Destination) else str(one) for one in step.outcomes)
    left = [hop.name for hop in hops[len(step.outcomes) :]]
    missed = f"   it never comes to {', '.join(left)}" if left else ""
    yield f"  {_percent(step.probability):>6} {way}{missed}", ""
    yield from ((f"         {one}", "yellow") for one in _losses(step, names, hops))


def _losses(step: Step, names: Names, hops: Sequence[Service]) -> Iterator[str]:
    """The services that lose the tag along this way."""
    for hop, at in zip(hops[:-1], step.outcomes, strict=False):
        if isinstance(at, Destination) and at.host == hop.host:
            model, sent = names.models[hop.host], names.carrying.sent(hop.host, at.headers)
            if lost := loss(hop.name, hop.carries, model.tag, at.headers, sent, in_baggage=model.baggage):
                yield lost


def _json_step(step: Step, names: Names, hops: Sequence[Service]) -> dict[str, Any]:
    return {
        "probability": step.probability,
        "outcomes": [asdict(one) for one in step.outcomes],
        "lost": list(_losses(step, names, hops)),
    }


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Fraction) else str(value)
