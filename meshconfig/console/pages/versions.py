"""Versions and lanes: what there is of each service, and the forms that change it.

A form leads to the change's preview by an address, which whoever approves can be sent; it shows the diff and the plan.
"""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from meshconfig.console import once
from meshconfig.console.acts import note, wish
from meshconfig.console.faults import MissingError
from meshconfig.console.jobs import Job, Jobs, State
from meshconfig.console.live import Parts, stream
from meshconfig.console.registry import GROUP, Page, get, ref_of, write
from meshconfig.console.security.entrance import owner_of, source_of, visit
from meshconfig.console.view import at, page, part
from meshconfig.palette import colours

ROWS = 50  # services on a page
EVERY = 0.3  # seconds between two looks at a change
LONGEST_ADDRESS = 2000  # characters of what is asked for in an address
OWN = ("csrf", "mark", once.FIELD)  # fields of a form that say nothing of the change
LONGEST = 253  # characters of what a person searches for


def _versions(request: Request) -> Response:
    ref = ref_of(request)
    stated = source_of(request).stated(ref)
    spec = stated.group.spec.spec
    search = request.query_params.get("service", "").strip()[:LONGEST]
    found = [name for name in spec.services if search.lower() in name.lower()]
    number = request.query_params.get("page", "1")
    pages = max(1, -(-len(found) // ROWS))
    current = min(max(1, int(number) if number.isdecimal() and len(number) < 7 else 1), pages)
    return page(
        request,
        "versions.html",
        ref=ref,
        stated=stated,
        spec=spec,
        search=search,
        services=found[(current - 1) * ROWS : current * ROWS],
        number=current,
        pages=pages,
        colours=colours(spec.lanes, spec.tag.default),
    )


def _service(request: Request) -> Response:
    ref, name = ref_of(request), request.path_params["service"]
    stated = source_of(request).stated(ref)
    if name not in stated.group.spec.spec.services:
        raise MissingError(f"group {ref} has no service {name}")
    one = stated.group.spec.service(name)
    return page(request, "service.html", ref=ref, stated=stated, one=one, name=name, spec=stated.group.spec.spec)


def _preview(request: Request) -> Response:
    ref, fields = ref_of(request), dict(request.query_params)
    proposal = source_of(request).propose(ref, wish(fields))
    kept = {name: value for name, value in fields.items() if name not in (*OWN, "note")}
    return page(request, "preview.html", ref=ref, proposal=proposal, fields=kept, noted=note(fields))


def _change(request: Request) -> Response:
    ref, fields, source = ref_of(request), visit(request).form, source_of(request)
    begun = source.begin(ref, wish(fields), fields.get("mark", ""), note(fields))
    job = request.app.state.jobs.begin(ref, visit(request).person, owner_of(request), begun)
    source.changed(ref)
    return RedirectResponse(at(ref, "changes", job.name), 303)


def _job(request: Request) -> Response:
    return page(request, "job.html", ref=ref_of(request), job=_found(request))


def _job_events(request: Request) -> Response:
    ref, job, source = ref_of(request), _found(request), source_of(request)
    ended = False

    def look() -> Parts | None:
        nonlocal ended
        if ended:
            return None
        with job.lock:
            ended = job.state is not State.RUNNING
            if ended:
                source.changed(ref)
            return {"job": part(request, "job_part.html", ref=ref, job=job)}

    return stream(request, look, every=EVERY)


def _stop(request: Request) -> Response:
    job = _found(request)
    job.stop()
    return RedirectResponse(_own(request), 303)


def _own(request: Request) -> str:
    return at(ref_of(request), "changes", request.path_params["change"])


def _again(request: Request) -> str:
    """The preview of the same change, of the group as it is by then."""
    wished = urlencode({name: one for name, one in visit(request).form.items() if name not in OWN})
    if len(wished) > LONGEST_ADDRESS:
        return at(ref_of(request), "versions")
    return f"{at(ref_of(request), 'versions', 'preview')}?{wished}"


def _found(request: Request) -> Job:
    jobs: Jobs = request.app.state.jobs
    return jobs.find(ref_of(request), request.path_params["change"], owner_of(request))


PAGE = Page(
    "versions",
    40,
    [
        get(f"{GROUP}/versions", _versions),
        get(f"{GROUP}/versions/preview", _preview),
        write(f"{GROUP}/versions/change", _change, _again),
        get(f"{GROUP}/versions/of/{{service}}", _service),
        get(f"{GROUP}/changes/{{change}}", _job),
        get(f"{GROUP}/changes/{{change}}/events", _job_events),
        write(f"{GROUP}/changes/{{change}}/stop", _stop, _own),
    ],
    local=False,
)
