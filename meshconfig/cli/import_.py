"""`graylane import`: a spec from the VirtualServices or HTTPRoutes, DestinationRules and Gateways that are there."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import typer

from meshconfig.cli import completion
from meshconfig.cli.batch import batch
from meshconfig.cli.cluster import Context
from meshconfig.cli.common import BackendChoice, backend_name
from meshconfig.cli.explain_input import read, read_cluster
from meshconfig.cli.new_spec import Force, GroupName, group_name, write
from meshconfig.errors import InputError, Location, Problem
from meshconfig.explain import NOTHING, Given
from meshconfig.importing import Difference, Imported, NothingToSayError, import_group
from meshconfig.importing.text import text
from meshconfig.istio import Resource
from meshconfig.istio.gateway_api.attach import routes_of
from meshconfig.load import FieldPath
from meshconfig.printable import say
from meshconfig.render import MANAGED_BY
from meshconfig.simulate import Decision
from meshconfig.spec.group import BackendName

SHOWN = 20  # differences that are printed
FAILED = 1


def command(
    file: Annotated[
        list[str] | None,
        typer.Option(
            "-f",
            "--file",
            metavar="FILE",
            help="Manifest, directory of manifests, or - for standard input. Repeatable.",
            show_default=False,
        ),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Read what the cluster has in the namespace -n.")] = False,
    namespace: Annotated[
        str | None,
        typer.Option(
            "-n",
            "--namespace",
            help="Namespace of the group, and of manifests that name none. Default: that of most routes.",
            show_default=False,
            autocompletion=completion.namespaces,
        ),
    ] = None,
    group: GroupName = None,
    tag: Annotated[
        str | None,
        typer.Option(
            "--tag",
            metavar="HEADER",
            help="Header that carries the tag. Default: the one by which most routes tell subsets apart.",
            show_default=False,
            autocompletion=completion.headers,
        ),
    ] = None,
    backend: Annotated[
        BackendChoice | None,
        typer.Option(
            "--backend",
            help="Routes to import: VirtualServices, or with `gateway` HTTPRoutes and GRPCRoutes of the Gateway API. "
            "Default: VirtualServices, if there are any.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output-file", metavar="FILE", help="Write the spec to FILE.", show_default=False),
    ] = None,
    force: Force = False,
    context: Context = None,
) -> None:
    """Make a spec from existing VirtualServices or HTTPRoutes, DestinationRules and Gateways, and compare both.

    Give the Services and Deployments too: they tell ports and Pods. What a spec cannot say is listed with its place and
    left alone. Then generated requests are asked of the resources as they are and of those with the spec's in place.
    `graylane apply --adopt` takes the group over.

    Exit status: 1 if a request would be answered in another way, else 0.

    Examples:

        graylane import -f k8s/ -o graylane.yaml

        graylane import --live -n demo --group shop -o graylane.yaml

        graylane import -f k8s/ --tag x-version

        graylane import -f k8s/ --backend gateway
    """
    if not file and not live:
        raise InputError.at("FILE", "is missing: name manifests by -f, or give --live for those of the cluster")
    if live and not namespace:
        raise InputError.at("--live", "needs -n NAMESPACE, the one to import")
    cluster = read_cluster(context, namespace) if live else NOTHING
    with batch():
        given = read(file or (), namespace or "default", cluster)
        chosen = _backend(given, backend_name(backend))
        where = namespace or _namespace(given, chosen)
        try:
            wanted = _wanted(where) if live else _every
            found = import_group(given.resources, group_name(group or where), where, tag, wanted, chosen)
        except NothingToSayError as error:
            nothing = Problem(Location(given.files or "--live"), "", "nothing here that a spec can say")
            raise InputError([nothing, *(Problem(*one) for one in error.unsaid)]) from None
    for note in given.notes:
        say(f"note: {note}", error=True)
    write(written(found, given.files or f"the cluster, namespace {where}"), output, force=force)
    for line in report(found):
        say(line, error=True)
    if found.proof.wrong:
        raise typer.Exit(FAILED)


def _every(resource: Resource[Any]) -> bool:
    return True


def _wanted(namespace: str) -> Callable[[Resource[Any]], bool]:
    """Whether a resource of the cluster is to be imported: it is of this namespace and of no group yet."""
    return lambda one: one.namespace == namespace and one.metadata.labels.get(MANAGED_BY) != "graylane"


def _backend(given: Given, asked: BackendName | None) -> BackendName:
    """Which routes are imported.

    Raises:
        InputError: there are none, or a spec is given.
    """
    if given.groups:
        raise InputError.at(given.files, "has a spec of graylane already: import takes manifests alone")
    there = {"istio": given.resources.virtual_services, "gateway": routes_of(given.resources)}
    names = {"istio": "VirtualService", "gateway": "HTTPRoute or GRPCRoute"}
    chosen: BackendName = asked or ("istio" if there["istio"] or not there["gateway"] else "gateway")
    if not there[chosen]:
        what = names[asked] if asked else " and no ".join(names.values())
        raise InputError.at(given.files or "--live", f"has no {what}; `graylane init` makes a spec without any")
    if asked is None and there["istio"] and there["gateway"]:
        say(
            f"note: {there['gateway'][0]} is not read, nor is any other: import reads VirtualServices, and with "
            "--backend gateway the others",
            error=True,
        )
    return chosen


def _namespace(given: Given, backend: BackendName) -> str:
    routes = given.resources.virtual_services if backend == "istio" else routes_of(given.resources)
    found = Counter(one.namespace for one in routes)
    return min(found, key=lambda name: (-found[name], name))


def written(found: Imported, source: str) -> str:
    """The spec as YAML.

    Parameters:
        source: where the resources come from, for the heading.
    """
    comments: dict[FieldPath, list[str]] = {}
    if found.fitted.found.choices:
        comments["spec", "lanes"] = found.fitted.found.choices
    for service in found.fitted.found.services.values():
        if service.choices:
            comments["spec", "services", service.name] = service.choices
    if found.fitted.found.entries:
        tag = found.fitted.model.tag
        comments["spec", "entries"] = [
            f"Entries set and remove the header {tag} and W3C baggage: docs/compile.md, At an entry."
        ]
    return text(found.fitted.value, [f"Imported by `graylane import` from {source}."], comments)


def report(found: Imported) -> Iterator[str]:
    """What was left alone, what the group replaces, and the result of the comparison, a line each."""
    for one in found.fitted.unsaid:
        yield f"left alone: {one}"
    for name, ports in found.assumed.items():
        listed = ", ".join(map(str, sorted(ports)))
        yield f"assumed: Gateway {name}, which is not given, serves every host on port {listed}"
    if found.taken:
        yield f"takes over: {', '.join(map(str, found.taken))}"
    others = [one for one in found.replaced if one not in found.taken]
    yield f"replaces: {', '.join(map(str, others)) or 'nothing'}"
    proof = found.proof
    if proof.tags:
        tag = found.fitted.model.tag
        yield f"header: {proof.tags} requests leave an entry with another {tag} or baggage; no later service minds"
    yield from _differences("new", [one for one in proof.differences if one.new_tag])
    yield from _differences("differs", proof.wrong)
    result = f"{sum(one.count for one in proof.wrong)} differ" if proof.wrong else "all decided as before"
    undecided = f", {proof.undecided} of them undecided before and after" if proof.undecided else ""
    yield f"compared: {proof.asked} requests, {result}{undecided}"


def _differences(word: str, found: Sequence[Difference]) -> Iterator[str]:
    for one in found[:SHOWN]:
        more = f" (and {one.count - 1} more like it)" if one.count > 1 else ""
        yield f"{word}: {_asked(one)}: {one.what}{more}"
        yield f"  before: {_answer(one.before)}"
        yield f"  after:  {_answer(one.after)}"
    if len(found) > SHOWN:
        yield f"{word}: {len(found) - SHOWN} more kinds of requests"


def _asked(one: Difference) -> str:
    request = one.request
    port = f":{request.port}" if request.port else ""
    return f"{request.method} {request.scheme}://{request.host}{port}{request.path} {one.sent}"


def _answer(decision: Decision) -> str:
    shares = [
        f"{one.outcome}" + (f" {float(one.probability):.0%}" if len(decision.shares) > 1 else "")
        for one in decision.shares
    ]
    return f"{', '.join(shares)} by {decision.route or 'no route'}"
