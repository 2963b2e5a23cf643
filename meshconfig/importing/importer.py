"""Imports a group and proves it against the resources that it comes from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from meshconfig.importing.fit import Fitted, fit
from meshconfig.importing.proof import Proof, compare
from meshconfig.importing.replaced import replaced, without
from meshconfig.importing.tables import asks_for
from meshconfig.importing.tag import DEFAULT, tag_header
from meshconfig.istio import Resource, Resources, VirtualService
from meshconfig.istio.gateway_api import is_of_gateway_api
from meshconfig.model import Model
from meshconfig.render import render
from meshconfig.simulate import Index

_KINDS = ("virtual_services", "destination_rules", "gateways", "services", "service_entries", "workloads", "namespaces")


@dataclass(frozen=True, slots=True)
class Imported:
    """A group that was found in resources.

    Parameters:
        replaced: the resources whose place it takes.
        assumed: Gateways that are not given, and were taken to serve every host on port 80 for the comparison.
        proof: how both decide.
    """

    fitted: Fitted
    replaced: tuple[Resource[Any], ...]
    assumed: tuple[str, ...]
    proof: Proof


def import_group(
    resources: Resources,
    name: str,
    namespace: str,
    tag: str | None = None,
    wanted: Callable[[VirtualService], bool] = lambda one: True,
) -> Imported:
    """Finds a group and compares it with the resources that it comes from. Those of the Gateway API stay as they are.

    Parameters:
        name, namespace: the group's.
        tag: the name of the tag's header; None to find it.
        wanted: whether a VirtualService may become part of the group; the others stay.

    Raises:
        NothingToSayError: a spec can say none of the resources.
    """
    resources = replace(resources, others=tuple(one for one in resources.others if not is_of_gateway_api(one)))
    index = Index(resources)
    given_tag, tag = tag, (tag or tag_header(index)).lower()
    fitted = fit(index, tag, name, namespace, wanted)
    if given_tag is None and not fitted.found.lanes and tag != DEFAULT:
        # The routes by this header are left alone, so entries must not take it from them.
        fitted, tag = fit(index, DEFAULT, name, namespace, wanted), DEFAULT
    assumed = tuple(sorted({one.gateway for one in fitted.found.entries} - index.gateways.keys()))
    given = _with_gateways(resources, assumed)
    index = Index(given) if assumed else index
    going = [one for one in replaced(index, fitted.model) if one.kind != "VirtualService" or wanted(one)]
    after = in_place(given, fitted.model, going)
    new = None if asks_for(index, tag, fitted.model.baseline) else fitted.model.baseline
    proof = compare(index, Index(after), tag, sorted({*fitted.value["spec"]["lanes"]}), new)
    return Imported(fitted, tuple(going), assumed, proof)


def in_place(resources: Resources, model: Model, going: Iterable[Resource[Any]]) -> Resources:
    """The resources after an adoption: without what goes, and with what the group renders to."""
    kept = [one for kind in _KINDS for one in getattr(resources, kind)] + list(resources.others)
    made = Resources.parse(render([model]))
    every = [*without(kept, going), *(one for kind in _KINDS for one in getattr(made, kind))]
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
