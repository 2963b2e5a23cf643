"""The console as an ASGI application."""

from threading import Event

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from meshconfig.console.asking import Gateway
from meshconfig.console.error_pages import broken, failed, not_found
from meshconfig.console.jobs import Jobs
from meshconfig.console.live import Streams
from meshconfig.console.observed import Observer
from meshconfig.console.once import Once
from meshconfig.console.outgoing import Outgoing
from meshconfig.console.registry import pages
from meshconfig.console.security.entrance import Access, Entrance
from meshconfig.console.security.guard import HEALTH, Guard
from meshconfig.console.security.sealed import Seal
from meshconfig.console.settings import Settings
from meshconfig.errors import GraylaneError


def create_app(
    settings: Settings,
    access: Access,
    stop: Event | None = None,
    jobs: Jobs | None = None,
    *,
    observer: Observer | None = None,
    gateway: Gateway | None = None,
) -> ASGIApp:
    """The console.

    Parameters:
        settings: how it is reached.
        access: gives each person a source.
        stop: ends the streams of open pages when it is set.
        jobs: the changes under way, for whoever ends the process.
        observer: of real requests; None where the console was started without one.
        gateway: where the page Ask sends requests; None where it only explains them.
    """
    seal = Seal()
    routes = [
        Route(HEALTH, _healthy, methods=["GET"]),
        Mount("/static", StaticFiles(packages=[("meshconfig.console", "static")])),
        *(route for one in pages(local=access.is_local) for route in one.routes),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Entrance, settings=settings, seal=seal, access=access, refuse=failed)],
        exception_handlers={GraylaneError: failed, HTTPException: not_found, Exception: broken},
    )
    app.state.settings, app.state.seal, app.state.local = settings, seal, access.is_local
    app.state.streams, app.state.jobs, app.state.once = Streams(stop or Event()), jobs or Jobs(), Once()
    app.state.observer, app.state.gateway, app.state.outgoing = observer, gateway, Outgoing()
    return Guard(app, settings)  # around all, so that the page for a fault of ours has its headers too


async def _healthy(request: Request) -> Response:
    return PlainTextResponse("ok\n")
