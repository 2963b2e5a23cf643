"""Telemetry resources: they make the lane a label of `istio_requests_total`, a span attribute, and send access logs.

A tag's value comes from a client, so it is never a label itself: each distinct value would be a series of its own. The
label's values are the names of the group's lanes, `other` for a tag that no lane has, and `none` for no tag.
Source: Istio, telemetry/v1 Telemetry; proxy `source/extensions/filters/http/istio_stats`, which evaluates the
expression when a request has ended; Envoy's CEL has neither macros nor string functions beyond the standard ones.
"""

import re
from collections.abc import Iterable, Sequence

from meshconfig.backend import IstioApi, Manifest, Owner
from meshconfig.baggage import HEADER as BAGGAGE
from meshconfig.baggage import member
from meshconfig.errors import InputError
from meshconfig.groups import Group
from meshconfig.model import Name

NAME = "graylane-lanes"
LABEL = "lane"  # of the metric, and the name of the span's attribute
OTHER, NONE = "other", "none"
METRICS_PROVIDER = "prometheus"
LOG_PROVIDER = "graylane-otlp"  # an extensionProvider of the mesh, which docs/carry.md shows
_API = {"v1": "v1", "v1beta1": "v1alpha1"}  # by the version of networking.istio.io that a release has beside it


def telemetries(groups: Iterable[Group], api: IstioApi) -> list[Manifest]:
    """One Telemetry for each namespace that has services in the mesh.

    Raises:
        InputError: two groups have services in one namespace, of whose Telemetries without a selector Istio uses one;
            or a lane is called as the label is for requests of no lane.
    """
    owner: dict[str, Group] = {}
    found: list[Manifest] = []
    for group in groups:
        if taken := [name for name in (OTHER, NONE) if name in group.spec.spec.lanes]:
            place = group.locate(("spec", "lanes", taken[0]))
            message = f"--telemetry counts requests of no lane as {taken[0]}: give the lane another name"
            raise InputError.at(place.file, message, line=place.line, path=f"spec.lanes.{taken[0]}")
        inside = [service for service in group.model.services if not service.outside]
        for namespace in dict.fromkeys(service.namespace for service in inside):
            other = owner.setdefault(namespace, group)
            if other is not group:
                raise InputError.at(
                    "--telemetry",
                    f"groups {other.model.group} and {group.model.group} both have services in namespace {namespace}, "
                    "and Istio uses one Telemetry per namespace: put them into one group",
                )
            found.append(_telemetry(group, namespace, api))
    return found


def _telemetry(group: Group, namespace: str, api: IstioApi) -> Manifest:
    expression = lane_expression(group.model.tag, sorted(group.spec.spec.lanes), baggage=group.model.baggage)
    count = {"match": {"metric": "REQUEST_COUNT"}, "tagOverrides": {LABEL: {"value": expression}}}
    spec = {
        "metrics": [{"providers": [{"name": METRICS_PROVIDER}], "overrides": [count]}],
        "accessLogging": [{"providers": [{"name": LOG_PROVIDER}]}],
        # Not `header`, which would put the raw value into each span.
        "tracing": [{"customTags": {LABEL: {"formatter": {"value": f"%CEL({expression})%"}}}}],
    }
    owner = Owner(group.model.group, group.model.tag, api)
    return owner.manifest(f"telemetry.istio.io/{_API[api]}", "Telemetry", Name(namespace, NAME), spec)


def lane_expression(tag: str, lanes: Sequence[str], *, baggage: bool = False) -> str:
    """A CEL expression for a request's lane: one of `lanes`, `other` or `none`, and nothing else.

    Parameters:
        tag: the name of the tag's header.
        baggage: read the tag from W3C baggage where the header is absent. A member counts if it is written without
            spaces and percent-encoding, as OpenTelemetry's libraries and graylane's entries write it.
    """
    name = _quoted(tag)
    header = f"request.headers['{name}']"
    named = _choice([(f"{header} == '{lane}' || {header}.startsWith('{lane}.next')", lane) for lane in lanes], OTHER)
    absent = f"'{NONE}'"
    if baggage:
        inside = [(_in_baggage(_quoted(member(tag, lane))), lane) for lane in lanes]
        absent = f"('{BAGGAGE}' in request.headers ? ({_choice(inside, NONE)}) : '{NONE}')"
    return f"'{name}' in request.headers ? ({named}) : {absent}"


def _quoted(text: str) -> str:
    """Text between the quotes of CEL, and between the percent signs of an access log's format."""
    return re.sub(r"['\\%]", lambda found: f"\\x{ord(found[0]):02x}", text)


def _choice(cases: Iterable[tuple[str, str]], otherwise: str) -> str:
    return " : ".join([*(f"({condition}) ? '{lane}'" for condition, lane in cases), f"'{otherwise}'"])


def _in_baggage(one: str) -> str:
    """The member as the only one, the first, one between others, or the last; also with a generation of its lane."""
    header = f"request.headers['{BAGGAGE}']"
    whole = f"{header} == '{one}' || {header}.endsWith(',{one}')"
    starts = [f"{header}.startsWith('{one}{end}')" for end in (",", ";", ".next")]
    within = [f"{header}.contains(',{one}{end}')" for end in (",", ";", ".next")]
    return " || ".join([whole, *starts, *within])
