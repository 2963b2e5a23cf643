"""The pages that there are: each is one module of `console/pages` with a `PAGE`."""

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.routing import Route

from meshconfig.console.refs import GroupRef

GROUP = "/g/{namespace}/{group}"

Endpoint = Callable[[Request], Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Parameters:
        name: the last part of its path under a group, and its section in the catalogues, where `title` is its title.
        order: its place in a group's navigation, from the left; None for a page that is not about one group.
        routes: its addresses; those about a group begin with `GROUP`.
        local: whether the mesh on this machine has it.
    """

    name: str
    order: int | None
    routes: Sequence[Route]
    local: bool = True


@dataclass(frozen=True, slots=True)
class NavEntry:
    name: str
    href: str


def get(path: str, endpoint: Endpoint) -> Route:
    """A route that reads. Endpoints are plain functions, which Starlette runs on threads that all of them share."""
    return Route(path, endpoint, methods=["GET"])


def post(path: str, endpoint: Endpoint) -> Route:
    """A route that writes. The form's token has been checked; `visit(request).form` has its fields."""
    return Route(path, endpoint, methods=["POST"])


def ref_of(request: Request) -> GroupRef:
    """The group that an address under `GROUP` names."""
    return GroupRef(request.path_params["namespace"], request.path_params["group"])


@cache
def pages() -> Sequence[Page]:
    """All pages, in the order of the navigation."""
    package = import_module("meshconfig.console.pages")
    modules = (import_module(f"{package.__name__}.{one.name}") for one in pkgutil.iter_modules(package.__path__))
    found: list[Page] = [module.PAGE for module in modules]
    return sorted(found, key=lambda one: (one.order is None, one.order or 0, one.name))


def navigation(ref: GroupRef, *, local: bool) -> Sequence[NavEntry]:
    """The links to a group's pages."""
    where = f"/g/{quote(ref.namespace, safe='')}/{quote(ref.name, safe='')}"
    return [
        NavEntry(one.name, f"{where}/{one.name}")
        for one in pages()
        if one.order is not None and (one.local or not local)
    ]
