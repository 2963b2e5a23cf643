"""Error pages: what happened, and what to do."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from meshconfig.console.faults import (
    BusyError,
    ChangedError,
    ElsewhereError,
    FormError,
    MissingError,
    NoSessionError,
    TakenError,
    TooLargeError,
)
from meshconfig.console.registry import ref_of
from meshconfig.console.view import page
from meshconfig.errors import ApiError, Conflict, GraylaneError, InputError, Unauthorized, Unreachable

# The first that fits: (class, status, what the catalogues say under `error`).
_KINDS: tuple[tuple[type[Exception], int, str], ...] = (
    (ElsewhereError, 200, "elsewhere"),
    (NoSessionError, 401, "closed"),
    (TooLargeError, 413, "form"),
    (FormError, 403, "form"),
    (MissingError, 404, "missing"),
    (ChangedError, 409, "changed"),
    (BusyError, 429, "refused"),
    (Unauthorized, 401, "token"),
    (TakenError, 409, "taken"),
    (Conflict, 409, "owned"),
    (Unreachable, 502, "unreachable"),
    (InputError, 400, "input"),
    (GraylaneError, 409, "refused"),
)


async def failed(request: Request, error: Exception) -> Response:
    """The page for an error of graylane."""
    status, name = next((status, name) for kind, status, name in _KINDS if isinstance(error, kind))
    if isinstance(error, ApiError) and error.status in (403, 404):
        status, name = error.status, "forbidden" if error.status == 403 else "missing"
    lines = error.lines if isinstance(error, InputError) else str(error).split("\n")
    group = {"namespace", "group"} <= request.path_params.keys()
    return page(request, "error.html", status=status, ref=ref_of(request) if group else None, name=name, lines=lines)


async def not_found(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    name = "nopage" if status in (404, 405) else "broken"
    return page(request, "error.html", status=status, name=name, lines=())


async def broken(request: Request, error: Exception) -> Response:
    """A fault of the console itself: its traceback is in the log, and not on the page."""
    return page(request, "error.html", status=500, name="broken", lines=(type(error).__name__,))
