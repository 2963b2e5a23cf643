"""Imports a group and proves it against the resources that it comes from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from meshconfig.importing.fit import Fitted, fit
from meshconfig.importing.gateway_api import in_words_of_istio, with_gateways
from meshconfig.importing.merged import originals
from meshconfig.importing.proof import Proof, compare
from meshconfig.importing.replaced import replaced, without
from meshconfig.importing.tables import asks_for
from meshconfig.importing.tag import DEFAULT, tag_header
from meshconfig.istio import Resource, Resources
from meshconfig.istio.gateway_api import is_of_gateway_api
from meshconfig.istio.resources import identity
from meshconfig.model import Model
from meshconfig.render import render
from meshconfig.simulate import Index
from meshconfig.spec.group import BackendName

_HTTP = 80
_KINDS = ("virtual_services", "destination_rules", "gateways", "services", "service_entries", "workloads", "namespaces")


@dataclass(frozen=True, slots=True)
class Imported:
    """A group that was found in resources.

    Parameters:
        replaced: the resources whose place it takes.
        taken: of these, routes and Services of the Gateway API that the spec itself makes, under the same name.
        assumed: the ports of Gateways that are not given, and were taken to serve every host there for the comparison.
        proof: how both decide.
    """

    fitted: Fitted
    replaced: tuple[Resource[Any], ...]
    taken: tuple[Resource[Any], ...]
    assumed: Mapping[str, tuple[int, ...]]
    proof: Proof


def import_group(
    resources: Resources,
    name: str,
    namespace: str,
    tag: str | None = None,
    wanted: Callable[[Resource[Any]], bool] = lambda one: True,
    backend: BackendName = "istio",
) -> Imported:
    """Finds a group and compares it with the resources that it comes from.

    Parameters:
        name, namespace: the group's.
        tag: the name of the tag's header; None to find it.
        wanted: whether a VirtualService, or a route of the Gateway API, may become part of the group; the others stay.
        backend: which routes are imported: VirtualServices, or with `gateway` those of the Gateway API. The others
            stay as they are.

    Raises:
        NothingToSayError: a spec can say none of the resources.
    """
    if backend == "gateway":
        return _of_gateway_api(resources, name, namespace, tag, wanted)
    resources = replace(resources, others=tuple(one for one in resources.others if not is_of_gateway_api(one)))
    index = Index(resources)
    fitted, tag = _fitted(index, tag, lambda tag: fit(index, tag, name, namespace, wanted))
    assumed = dict.fromkeys(sorted({one.gateway for one in fitted.found.entries} - index.gateways.keys()), (_HTTP,))
    given = _with_gateways(resources, assumed)
    index = Index(given) if assumed else index
    going = [one for one in replaced(index, fitted.model) if one.kind != "VirtualService" or wanted(one)]
    new = None if asks_for(index, tag, fitted.model.baseline) else fitted.model.baseline
    return _compared(fitted, given, going, assumed, new)


def _of_gateway_api(
    resources: Resources, name: str, namespace: str, tag: str | None, wanted: Callable[[Resource[Any]], bool]
) -> Imported:
    given, assumed = with_gateways(resources)

    def of(tag: str) -> Fitted:
        said = in_words_of_istio(given, tag)
        unsaid = [one for route, one in said.unattached if wanted(route)]
        index = Index(said.resources)
        return fit(index, tag, name, namespace, wanted, given=given, finish=said.finish, unsaid=unsaid)

    fitted, tag = _fitted(Index(in_words_of_istio(given).resources), tag, of)
    index = Index(in_words_of_istio(given, tag).resources)
    going = [one for one in originals(replaced(index, fitted.model)) if is_of_gateway_api(one)]
    made = Resources.parse(render([fitted.model]))
    names = {identity(one) for one in (*made.services, *made.others)}
    going = [*filter(wanted, going), *(one for one in given.services if identity(one) in names)]
    going = list({identity(one): one for one in going}.values())
    taken = [one for one in going if identity(one) in names]
    new = None if asks_for(index, tag, fitted.model.baseline) else fitted.model.baseline
    return _compared(fitted, given, going, assumed, new, taken=taken, by_pods=True)


def _fitted(index: Index, given: str | None, of: Callable[[str], Fitted]) -> tuple[Fitted, str]:
    """A group, and the name of its tag's header.

    Parameters:
        given: the name that a person has given.
        of: finds a group with a tag of this name.
    """
    tag = (given or tag_header(index)).lower()
    fitted = of(tag)
    if given is None and not fitted.found.lanes and tag != DEFAULT:
        # The routes by this header are left alone, so entries must not take it from them.
        return of(DEFAULT), DEFAULT
    return fitted, tag


def _compared(
    fitted: Fitted,
    given: Resources,
    going: Sequence[Resource[Any]],
    assumed: Mapping[str, tuple[int, ...]],
    new: str | None,
    *,
    taken: Sequence[Resource[Any]] = (),
    by_pods: bool = False,
) -> Imported:
    sides = Index(given), Index(in_place(given, fitted.model, going))
    lanes = sorted({*fitted.value["spec"]["lanes"]})
    proof = compare(*sides, fitted.found.tag, lanes, new, by_pods=by_pods)
    return Imported(fitted, tuple(going), tuple(taken), assumed, proof)


def in_place(resources: Resources, model: Model, going: Iterable[Resource[Any]]) -> Resources:
    """The resources after an adoption: without what goes, and with what the group renders to."""
    kept = [one for kind in _KINDS for one in getattr(resources, kind)] + list(resources.others)
    made = Resources.parse(render([model]))
    every = [*without(kept, going), *(one for kind in _KINDS for one in getattr(made, kind)), *made.others]
    return replace(Resources.of(every), whole=resources.whole)


def _with_gateways(resources: Resources, names: Iterable[str]) -> Resources:
    made = []
    for name in names:
        space, _, short = name.partition("/")
        server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
        made.append(
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "Gateway",
                "metadata": {"name": short, "namespace": space},
                "spec": {"selector": {"istio": "ingressgateway"}, "servers": [server]},
            }
        )
    return replace(resources, gateways=(*resources.gateways, *Resources.parse(made).gateways)) if made else resources
