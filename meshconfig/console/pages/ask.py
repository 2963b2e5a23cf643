"""Ask a request: what the routes do with it, hop by hop, beside what really answered."""

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from meshconfig.cluster.snapshot import read_routing
from meshconfig.console import asking
from meshconfig.console.asking import Gateway, Question
from meshconfig.console.observed import may_see
from meshconfig.console.refs import GroupRef
from meshconfig.console.registry import GROUP, Page, get, post, ref_of
from meshconfig.console.security.entrance import owner_of, source_of, visit
from meshconfig.console.sources.cluster import ClusterSource
from meshconfig.console.sources.source import Source
from meshconfig.console.view import at, page
from meshconfig.console.way_back import lead_back
from meshconfig.errors import ApiError, InputError
from meshconfig.explain import Cluster
from meshconfig.links import ways_in
from meshconfig.palette import colours
from meshconfig.spec import LaneGroup

FORBIDDEN = 403
FIELDS = ("host", "path", "lane", "headers")


def _look(request: Request) -> Response:
    """The form, and with a host the explained answer: an address to pass on."""
    given = {name: request.query_params.get(name, "") for name in FIELDS}
    return _page(request, given, send=False)


async def _send(request: Request) -> Response:
    """Sends the request, too: only a form does, so that no other site's link can."""
    form, outgoing = visit(request).form, request.app.state.outgoing
    given = {name: form.get(name, "") for name in FIELDS}
    lead_back(request, _address(ref_of(request), given))
    answer: Response = await outgoing.run(owner_of(request), lambda: _page(request, given, send=True))
    return answer


def _page(request: Request, given: dict[str, str], *, send: bool) -> Response:
    ref, source = ref_of(request), source_of(request)
    stated = source.stated(ref)
    group = stated.group.spec
    may_see(source, group)
    gateway: Gateway | None = request.app.state.gateway
    values: dict[str, Any] = {"problem": (), "explained": None, "answered": None, "curl": "", "permalink": ""}
    status = 200
    if given["host"]:
        try:
            question = Question.of(group, given["host"], given["path"] or "/", given["lane"], given["headers"])
            values["explained"] = asking.explain(stated.group, question, _cluster(source, ref))
        except InputError as error:
            values["problem"], status = error.lines, 400
        else:
            values["curl"] = asking.curl(gateway, question)
            values["permalink"] = _address(ref, given)
            if send and gateway is not None:
                values["answered"] = asking.ask(gateway, question)
    return page(request, "ask.html", ref=ref, status=status, given=given, gateway=gateway, **_choices(group), **values)


def _address(ref: GroupRef, given: dict[str, str]) -> str:
    return f"{at(ref, 'ask')}?{urlencode({name: text for name, text in given.items() if text})}"


def _choices(group: LaneGroup) -> dict[str, Any]:
    return {
        "hosts": [host for entry in group.spec.entries for host in entry.hosts],
        "lanes": list(group.spec.lanes),
        "tag": group.spec.tag.header,
        "ways": list(ways_in(group)),
        "colour": colours(group.spec.lanes, group.spec.tag.default),
    }


def _cluster(source: Source, ref: GroupRef) -> Cluster | None:
    """What routes requests in the cluster, as far as the person may read it; None for the spec alone."""
    if not isinstance(source, ClusterSource):
        return None
    try:
        found = read_routing(source.client, ref.namespace)
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
        return Cluster(notes=(f"only the group's own routes count: {error}",))
    return Cluster(found.manifests, found.whole, found.notes)


PAGE = Page("ask", 30, [get(f"{GROUP}/ask", _look), post(f"{GROUP}/ask", _send)])
