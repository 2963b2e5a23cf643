"""History: a group's revisions, the difference of two, and the way back to one."""

from starlette.requests import Request
from starlette.responses import Response

from meshconfig.console.registry import GROUP, Page, get, ref_of
from meshconfig.console.security.entrance import source_of
from meshconfig.console.view import page
from meshconfig.edit.files import FileChange
from meshconfig.errors import InputError


def _history(request: Request) -> Response:
    ref = ref_of(request)
    return page(request, "history.html", ref=ref, past=source_of(request).past(ref))


def _diff(request: Request) -> Response:
    ref, source = ref_of(request), source_of(request)
    one, other = (_number(request, name) for name in ("from", "to"))
    texts = [source.text_at(ref, number) for number in (one, other)]
    lines = FileChange(str(ref), *texts).diff()
    return page(request, "revisions.html", ref=ref, one=one, other=other, lines=lines)


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise InputError.at(name, "takes the number of a revision")
    return int(text)


PAGE = Page("history", 60, [get(f"{GROUP}/history", _history), get(f"{GROUP}/history/diff", _diff)], local=False)
