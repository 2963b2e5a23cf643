"""The pages that there are: each is one module of `console/pages` with a `PAGE`."""

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshconfig.console.once import Once
from meshconfig.console.refs import GroupRef
from meshconfig.console.security.entrance import visit
from meshconfig.console.way_back import lead_back

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
    """A route that takes a form, whose token has been checked; `visit(request).form` has its fields."""
    return Route(path, endpoint, methods=["POST"])


def write(path: str, endpoint: Endpoint, back: Callable[[Request], str]) -> Route:
    """A route that takes a form and changes something. The same form, sent twice, is taken once.

    Parameters:
        back: gives the page to which the links of an error page lead.
    """

    async def sent(request: Request) -> Response:
        lead_back(request, back(request))
        once: Once = request.app.state.once
        seen = visit(request)
        owner = seen.person or seen.session.name
        return await once.answer(owner, request.url.path, seen.form, lambda: run_in_threadpool(endpoint, request))

    return Route(path, sent, methods=["POST"])


def ref_of(request: Request) -> GroupRef:
    """The group that an address under `GROUP` names."""
    return GroupRef(request.path_params["namespace"], request.path_params["group"])


@cache
def pages(*, local: bool = False) -> Sequence[Page]:
    """The pages, in the order of the navigation.

    Parameters:
        local: those alone that the mesh on this machine has.
    """
    package = import_module("meshconfig.console.pages")
    modules = (import_module(f"{package.__name__}.{one.name}") for one in pkgutil.iter_modules(package.__path__))
    found: list[Page] = [module.PAGE for module in modules]
    there = (one for one in found if one.local or not local)
    return sorted(there, key=lambda one: (one.order is None, one.order or 0, one.name))


def navigation(ref: GroupRef, *, local: bool) -> Sequence[NavEntry]:
    """The links to a group's pages."""
    where = f"/g/{quote(ref.namespace, safe='')}/{quote(ref.name, safe='')}"
    return [NavEntry(one.name, f"{where}/{one.name}") for one in pages(local=local) if one.order is not None]
