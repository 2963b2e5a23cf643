"""Which routes of a VirtualService a spec can say, and why it cannot say the others."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from meshconfig.baggage import HEADER as BAGGAGE
from meshconfig.errors import Location
from meshconfig.istio.hosts import service_name
from meshconfig.model import Condition, Named, Route, StringMatch, Target
from meshconfig.spec.istio_policy import Policy
from meshconfig.spec.match import MAX_REGEX, METHOD, PATH, is_too_long

_POLICY = ("timeout", "retries", "fault", "mirror", "mirrorPercentage", "mirrors", "corsPolicy", "headers")
_WHY = {
    "redirect": "a redirect",
    "directResponse": "a direct response other than the 503 of a strict lane",
    "delegate": "a delegate that is not given or does not fit",
    "rewrite": "a rewrite of the authority or by a regex",
    "authority": "a match on the authority; hosts are an entry's own field",
    "scheme": "a match on the scheme",
    "ignoreUriCase": "a match on the path that ignores case",
    "port": "a match on the port",
    "sourceLabels": "a match on the sender's labels",
    "sourceNamespace": "a match on the sender's namespace",
    "method": "a match on the method that is not exact",
}


NOWHERE = "it leads nowhere"


class Unsaid(NamedTuple):
    """Something that a spec cannot say: its place, the resource or field, and why. It is left alone."""

    location: Location
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.location}: {self.what}: {self.why}"


def unsaid_in(route: Route, condition: Condition, tag: str) -> Iterator[str]:
    """Why a spec cannot say a route with one of its conditions; nothing where it can."""
    yield from (_described(name) for name in condition.fields)
    yield from _strings(condition, tag)
    fields = {name: value for name, value in route.fields.items() if name in _POLICY}
    yield from (_described(name) for name in route.fields if name not in _POLICY)
    yield from _refused(fields)
    if not route.targets and not route.refusal and not route.fields:
        yield NOWHERE
    for target in route.targets:
        yield from (_in_target(name) for name in target.fields)
        if service_name(target.host) is None:
            yield f"it leads to {target.host}, which is no Service of the cluster"
    if len(route.targets) > 1 and not any(target.weight for target in route.targets):
        yield "its weights sum up to 0"


def _described(name: str) -> str:
    return f"{_WHY.get(name, f'the field {name}')} is not part of a spec"


def _in_target(name: str) -> str:
    what = name if name == "headers" else f"the field {name}"
    return f"{what} of a destination is not part of a spec, which has a policy for a whole service"


def _strings(condition: Condition, tag: str) -> Iterator[str]:
    for kind, matches in (("header", condition.headers), ("query parameter", condition.query)):
        for name, match in matches:
            if kind == "header" and not re.fullmatch(r"[a-z0-9!#$%&'*+.^_`|~-]+", name):
                yield f"a match on {name} is not part of a spec"
            elif why := _not_a_match(match):
                yield f"a match on the {kind} {name} {why}"
    yield from (
        f"a match on the claim {name} {why}" for name, match in condition.claims if (why := _not_a_match(match))
    )
    path = condition.path
    if path is not None and (path.kind == "other" or (path.kind != "regex" and not re.search(PATH, path.value))):
        yield f"a match on the path {path.kind} {path.value!r}"
    elif path is not None and (why := _not_a_match(path)):
        yield f"a match on the path {why}"
    if condition.method and not re.search(METHOD, condition.method):
        yield f"a match on the method {condition.method!r}"
    if condition.absent and not _is_of_tag(condition.absent, tag):
        yield "a match on an absent header (withoutHeaders) is not part of a spec"


def _is_of_tag(absent: Named, tag: str) -> bool:
    """Whether these are the conditions that graylane itself writes beside a match on baggage."""
    return {name for name, _ in absent} <= {tag, BAGGAGE}


def _not_a_match(match: StringMatch) -> str:
    if match.kind == "other":
        return f"has another form than exact, prefix, regex and present: {match.value}"
    if match.kind in ("prefix", "regex") and not match.value:
        return f"has an empty {match.kind}"
    if match.kind == "regex" and is_too_long(match.value):
        return f"has a regular expression of over {MAX_REGEX} bytes"
    return ""


def _refused(fields: Mapping[str, Any]) -> Iterator[str]:
    """The fields of a policy that a spec refuses by type or value."""
    try:
        Policy.model_validate(dict(fields))
    except ValidationError as error:
        for one in error.errors(include_url=False):
            yield f"the policy field {'.'.join(map(str, one['loc']))} is not one that a spec takes: {one['msg']}"


def ports(targets: Iterable[Target]) -> set[int]:
    """The ports that targets name."""
    return {target.port for target in targets if target.port is not None}
