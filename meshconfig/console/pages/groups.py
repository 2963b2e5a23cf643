"""The first page: the groups that the person may see."""

from starlette.requests import Request
from starlette.responses import Response

from meshconfig.console.registry import Page, get
from meshconfig.console.security.entrance import source_of
from meshconfig.console.view import page
from meshconfig.errors import ApiError

FORBIDDEN = 403
LONGEST = 253  # characters of a namespace's name, and of what a person searches for


def _groups(request: Request) -> Response:
    namespace = request.query_params.get("namespace", "").strip()[:LONGEST]
    refused = ""
    try:
        found = source_of(request).groups(namespace)
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
        found, refused = (), str(error)
    return page(request, "groups.html", groups=found, namespace=namespace, refused=refused)


PAGE = Page("groups", None, [get("/", _groups)])
