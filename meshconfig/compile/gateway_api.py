"""Checks for `backend: gateway`: what the Gateway API has nothing for, as far as a spec shows it before it is compiled.

What only the routes show, the backend finds when it lowers them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from meshconfig.istio.hosts import namespace_of
from meshconfig.load import FieldPath
from meshconfig.spec import Entry, LaneGroup, ServiceInGroup

MOST_BUCKETS = 16  # Gateway API: the backends of a rule
LONGEST_NAME = 63  # of a Service
METHODS = frozenset("GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH".split())  # Gateway API, HTTPMethod
SPEC: FieldPath = ("spec",)
Wrong = tuple[FieldPath, str]


def problems(group: LaneGroup) -> Iterator[Wrong]:
    """What keeps a group from becoming resources of the Gateway API; nothing for a group of another backend."""
    if group.spec.backend != "gateway":
        return
    for name, lane in group.spec.lanes.items():
        if lane.fallback == "runtime":
            message = "runtime is Istio's own, as no HTTPRoute sees which Pods are healthy: write fallback: compiled"
            yield (*SPEC, "lanes", name, "fallback"), message
    inside = group.inside()
    services = [one for one in inside if namespace_of(one.host)]
    for service in (one for one in inside if not namespace_of(one.host)):
        message = f"{service.host} is no Service of the cluster, so no HTTPRoute can choose its Pods: write external"
        yield (*SPEC, "services", service.name, "host"), message
    hosts = {one.host for one in services}
    for service in services:
        yield from _names(service, hosts)
    yield from _same_pods(services)
    yield from _methods(group)
    for index, entry in enumerate(group.spec.entries):
        where = (*SPEC, "entries", index)
        for number, admit in enumerate(entry.admit):
            if admit.match.claims:
                message = "no HTTPRoute reads a JWT: match a header that the gateway or a client sets"
                yield (*where, "admit", number, "match", "claims"), message
        yield from _rewrites(entry, where)
        if entry.sticky and entry.sticky.buckets > MOST_BUCKETS:
            message = (
                f"a rule of the Gateway API has at most {MOST_BUCKETS} backends, and each bucket is one: "
                "write buckets: 10, of which each is a tenth of the users"
            )
            yield (*where, "sticky", "buckets"), message


def _rewrites(entry: Entry, where: FieldPath) -> Iterator[Wrong]:
    """A prefix in a spec is one of characters; what an HTTPRoute replaces is one of whole elements of a path."""
    for number, route in enumerate(entry.routes):
        prefix, value = route.path.prefix, route.rewrite
        if prefix is None or value is None or (prefix.endswith("/") and value.endswith("/") and prefix != "/"):
            continue
        at = (*where, "routes", number, "rewrite")
        if prefix == "/" and value != "/":
            yield at, "no HTTPRoute puts something before every path: give the path a prefix"
        elif prefix != "/":
            shown = f"path: {{prefix: {prefix.rstrip('/')}/}} and rewrite: {value.rstrip('/')}/"
            yield (
                at,
                f"an HTTPRoute replaces whole elements of a path, so {prefix} cannot become {value}: write {shown}",
            )


def _methods(group: LaneGroup) -> Iterator[Wrong]:
    """Gateway API knows the methods of HTTP by name."""
    for name, service in group.spec.services.items():
        for number, rule in enumerate(service.rules):
            yield from _method((*SPEC, "services", name, "rules", number, "match"), rule.match.method)
    for index, entry in enumerate(group.spec.entries):
        for number, admit in enumerate(entry.admit):
            yield from _method((*SPEC, "entries", index, "admit", number, "match"), admit.match.method)
        for number, route in enumerate(entry.routes):
            yield from _method((*SPEC, "entries", index, "routes", number), route.method)


def _method(where: FieldPath, method: str | None) -> Iterator[Wrong]:
    if method and method not in METHODS:
        yield (*where, "method"), f"Gateway API knows no method {method}: match a path or a header"


def _names(service: ServiceInGroup, hosts: set[str]) -> Iterator[Wrong]:
    """Each version has a Service of its own, whose name may be too long or another's."""
    name, _, rest = service.host.partition(".")
    for version in service.spec.versions:
        made = f"{name}-{version}"
        where = (*SPEC, "services", service.name, "versions", version)
        if len(made) > LONGEST_NAME:
            yield where, f"its Service would be called {made}, and a name has at most {LONGEST_NAME} characters"
        elif f"{made}.{rest}" in hosts:
            yield where, f"its Service would be called {made}, which is the host of another service: rename the version"


class _Selected(NamedTuple):
    """The Pods that the Service of a version would select, by its labels."""

    service: ServiceInGroup
    version: str
    labels: Mapping[str, str]

    def may_share(self, other: "_Selected") -> bool:
        """Whether Pods may have the labels of both, which are of two services."""
        mine, theirs = self.labels, other.labels
        return self.service.name != other.service.name and all(
            theirs[key] == value for key, value in mine.items() if key in theirs
        )


def _same_pods(services: Sequence[ServiceInGroup]) -> Iterator[Wrong]:
    """The Service of a version selects its Pods by labels, without the selector of the service's own Service."""
    for namespace in dict.fromkeys(one.namespace for one in services):
        here = [one for one in services if one.namespace == namespace]
        every = [
            _Selected(one, name, {**one.spec.selector, **version.labels})
            for one in here
            for name, version in one.spec.versions.items()
        ]
        told: set[str] = set()
        for one, others in _with_candidates(every):
            other = next(filter(one.may_share, others), None) if one.service.name not in told else None
            if other is None:
                continue
            told.add(one.service.name)
            name = one.service.name
            message = (
                f"the labels of {one.version} may be those of Pods of {other.service.name}/{other.version}, and its "
                f"Service would select them: give both selector, as their Services have it, such as {{app: {name}}}"
            )
            yield (*SPEC, "services", name, "versions", one.version, "labels"), message


def _with_candidates(every: Sequence[_Selected]) -> Iterator[tuple[_Selected, Iterable[_Selected]]]:
    """Each with all that may share Pods with it, found by the label that tells it apart best."""
    having: dict[tuple[str, str], list[_Selected]] = {}
    for one in every:
        for pair in one.labels.items():
            having.setdefault(pair, []).append(one)
    lacking = {key: [one for one in every if key not in one.labels] for key in {key for key, _ in having}}
    for one in every:
        pair = min(one.labels.items(), key=lambda pair: len(having[pair]) + len(lacking[pair[0]]))
        yield one, (*having[pair], *lacking[pair[0]])
