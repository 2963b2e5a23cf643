"""Routes: which requests they take, where these go, and what happens to their tag."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from meshconfig.load import FieldPath

IstioFields = Mapping[str, Any]  # fields of Istio's resources that graylane passes through unchanged
NO_FIELDS: IstioFields = {}
Carries = Literal["header", "baggage", "both", "none"]  # in which headers a service reads the tag and passes it on


@dataclass(frozen=True, slots=True)
class StringMatch:
    """A condition on one string.

    Parameters:
        kind: `exact`, `prefix`, `regex` (RE2, must match the whole string), or `present` for any value. `other` is a
            match of a live resource that has none of these shapes.
        value: what to compare with; empty for `present`, the JSON text of the match for `other`.
    """

    kind: Literal["exact", "prefix", "regex", "present", "other"]
    value: str = ""


Named = tuple[tuple[str, StringMatch], ...]  # by name, sorted: an API server does not keep the order of a mapping


def named(matches: Mapping[str, StringMatch]) -> Named:
    """Matches sorted by name, so that equal mappings give equal values."""
    return tuple(sorted(matches.items()))


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a request. All that is given must hold.

    Parameters:
        headers, query: matches on headers and on query parameters, by name.
        claims: claims of the JWT that the gateway has verified.
        absent: headers that must not match.
        fields: further fields of Istio's HTTPMatchRequest, as a live resource has them.
    """

    path: StringMatch | None = None
    method: str | None = None
    headers: Named = ()
    query: Named = ()
    claims: Named = ()
    absent: Named = ()
    fields: IstioFields = field(default_factory=dict, hash=False)  # a dict has no hash

    @property
    def always(self) -> bool:
        """Whether every request fulfils the condition."""
        return self == _ALWAYS


_ALWAYS = Condition()


@dataclass(frozen=True, slots=True)
class SetTag:
    """The proxy sets the tag's header to this value, whatever came in.

    Parameters:
        baggage: it also replaces the W3C baggage header by the tag's member.
    """

    value: str
    baggage: bool = False


@dataclass(frozen=True, slots=True)
class RemoveTag:
    """The proxy removes the tag's header.

    Parameters:
        baggage: it also removes the W3C baggage header.
    """

    baggage: bool = False


TagChange = SetTag | RemoveTag | None  # None: the tag's header goes on as it came
TRAIL = "x-graylane-trail"  # the response header that names the versions that answered: SERVICE/VERSION, one line a hop


@dataclass(frozen=True, slots=True)
class Target:
    """A destination of a route, with its share of the route's requests.

    Parameters:
        port: None where a live resource names none.
        subset: empty for all Pods of the Service.
        weight: relative to the weights of the other targets; None where the route has only this target.
        tag: what happens to the tag's header of a request that goes here.
        trail: the value that is added to the response header `TRAIL`; empty for none.
        set_cookie: the value of a `Set-Cookie` that is added to responses; empty for none.
        fields: further fields of Istio's HTTPRouteDestination, as a live resource has them.
        authority: the host with which a request leaves the mesh here; empty for a target inside.
    """

    host: str
    port: int | None
    subset: str = ""
    weight: int | None = None
    tag: TagChange = None
    trail: str = ""
    set_cookie: str = ""
    fields: IstioFields = field(default_factory=dict)
    authority: str = ""


class RouteKind(StrEnum):
    """What a route is for."""

    LANE = "lane"  # requests with the lane's tag
    LINK = "link"  # an entry's link into a lane, which sets the lane's cookie; without a key, a link into no lane
    COOKIE = "cookie"  # requests with the lane's cookie
    ADMIT = "admit"  # requests that match an item of an entry's `admit`
    RULE = "rule"  # requests that match a service's rule
    BUCKET = "bucket"  # requests with the cookie of a bucket, which a sticky split gives to one lane or version
    DEFAULT = "default"  # all other requests
    UNKNOWN = "unknown"  # a route of a live resource that graylane did not write


class RouteId(NamedTuple):
    """The identity of a route within its table.

    Parameters:
        key: the lane's name, the number of an admit or a rule (from 1), or the name of an unknown route; empty for the
            default route and for links into no lane. Of buckets, LANE, or LANE:VERSION where they choose a version.
        generation: the tag generation (`next` in `gray.next`) to which the route is limited; empty for plain tags.
    """

    kind: RouteKind
    key: str = ""
    generation: str = ""


class Origin(NamedTuple):
    """Where in the spec a route comes from.

    Parameters:
        field: the path of the field that asks for the route.
        service: the spec's name of the service that the route leads to.
        path_route: at an entry, the index of the route's item in `routes`; None between services.
    """

    field: FieldPath
    service: str
    path_route: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One route of a table. The first route in the table that has a condition that holds takes the request.

    Parameters:
        conditions: one of them must hold; empty for a route that takes every request.
        targets: where the requests go; empty for a refusal.
        refusal: the text of a 503 that the proxy answers instead, for a strict lane that has no version here; empty
            for any other route.
        rewrite: what replaces the matched path; None to leave the path.
        fields: further fields of Istio's HTTPRoute: the service's policy, or what a live resource has.
        origin: None for a route of a live resource.
    """

    id: RouteId
    conditions: tuple[Condition, ...] = ()
    targets: tuple[Target, ...] = ()
    refusal: str = ""
    rewrite: str | None = None
    fields: IstioFields = field(default_factory=dict)
    origin: Origin | None = field(default=None, compare=False, repr=False)
