"""Compares what two sets of resources do to requests: the resources that are there, and those with a group in place."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, NamedTuple

from meshconfig.baggage import HEADER as BAGGAGE
from meshconfig.importing.requests import requests
from meshconfig.istio import MESH, HTTPRoute, VirtualService
from meshconfig.istio.destinations import weighted
from meshconfig.istio.gateways import bound_to
from meshconfig.istio.hosts import ServiceName, service_name
from meshconfig.istio.policies import effective
from meshconfig.istio.routes import RouteRef
from meshconfig.model import TRAIL
from meshconfig.simulate import Decision, Destination, Index, Request, simulate
from meshconfig.simulate.index import resolved_hosts

_FIELDS = ("timeout", "retries", "fault", "cors_policy")


class Answer(NamedTuple):
    """What becomes of a request, without the names of routes and subsets. Two equal answers are the same to a client.

    Parameters:
        shares: each outcome with its probability. mirrors: who gets a copy, with the share.
        policy: the route's time-out, retries, fault and CORS policy as JSON.
        response: what the proxy does to the response's headers, each with its probability.
    """

    shares: frozenset[tuple[Any, Fraction]]
    mirrors: frozenset[tuple[str, tuple[Any, ...], Any, Fraction]]
    policy: str
    response: frozenset[tuple[str, Fraction]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A request that two sets of resources answer in two ways.

    Parameters:
        before, after: the decisions. count: how many requests differ in the same routes.
        new_tag: the request differs only because the baseline's tag has a meaning now, and nobody asked for it before.
    """

    request: Request
    before: Decision
    after: Decision
    what: str
    new_tag: bool = False
    count: int = 1

    @property
    def sent(self) -> str:
        """The request's headers as `graylane explain` takes them, and where it comes from."""
        headers = "".join(f"-H {name}:{value} " for name, value in self.request.pairs)
        gateway, namespace = self.request.gateway, self.request.source_namespace
        return headers + (f"at Gateway {gateway}" if gateway else f"from namespace {namespace}")


@dataclass(slots=True)
class Proof:
    """The result of a comparison.

    Parameters:
        asked: the number of requests.
        undecided: of these, those that cannot be decided, in neither set.
        differences: one for each pair of routes that differ.
        tags: requests whose tag or baggage an entry changes now, which no later service routes otherwise.
    """

    asked: int = 0
    undecided: int = 0
    tags: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def wrong(self) -> list[Difference]:
        """The differences that are more than a meaning for a new tag."""
        return [one for one in self.differences if not one.new_tag]


class _Side:
    """One set of resources, with the routes by their place."""

    def __init__(self, index: Index, *, by_pods: bool = False) -> None:
        self.index, self._by_pods = index, by_pods
        self._routes: dict[RouteRef, HTTPRoute] = {}
        for one in index.resources.virtual_services:
            for named in index.routes(one) if one.spec.hosts else ():
                self._routes[named.ref.route] = named.route
        self._targets: dict[tuple[str, int | None], int | str] = {
            (ServiceName(one.name, one.namespace).host, port.port): port.target_port or port.port
            for one in index.resources.services
            for port in one.spec.ports
        }

    def answer(self, request: Request, decision: Decision) -> Answer:
        route = self._routes.get(decision.route.route) if decision.route else None
        return Answer(
            _summed((self._outcome(share.outcome, request), share.probability) for share in decision.shares),
            frozenset(
                (
                    self._place(one.host),
                    self._ports(one.host, one.port),
                    self._pods(one.host, one.subset, request),
                    one.share,
                )
                for one in decision.mirrors
            ),
            _policy(route),
            _summed(_responses(route)) if decision.destinations else frozenset(),
        )

    def _outcome(self, outcome: Any, request: Request) -> Any:
        if not isinstance(outcome, Destination):
            return type(outcome).__name__, str(outcome), getattr(outcome, "body", "")
        policy = self._traffic_policy(outcome.host, outcome.subset, request)
        pods = self._which(outcome)
        return (
            self._place(outcome.host),
            self._ports(outcome.host, outcome.port),
            pods,
            outcome.prefers,
            outcome.headers,
            outcome.path,
            outcome.authority,
            policy,
        )

    def _place(self, host: str) -> str:
        """The Service; the namespace alone where Services are compared by the Pods that they select."""
        name = service_name(host)
        return name.namespace if self._by_pods and name and self._selector(host) else host

    def _ports(self, host: str, port: int | None) -> tuple[Any, ...]:
        """The Service's, and that of the Pods behind it where Services are compared by the Pods that they select."""
        found = self._targets.get((host, port), port) if self._by_pods else port
        return port, found

    def _which(self, one: Destination) -> Any:
        """The Pods: by workloads where these are known, else by labels, which include those of the Service."""
        if one.workloads:
            return "workloads", tuple(sorted(one.workloads))
        return "labels", tuple(sorted({**self._selector(one.host), **dict(one.labels)}.items()))

    def _selector(self, host: str) -> Mapping[str, str]:
        known = self.index.registry.get(host)
        return known.selector if known else {}

    def _pods(self, host: str, subset: str, request: Request) -> Any:
        selected = self._selected(host, request)
        labels = selected.subsets[subset].labels if subset in selected.subsets else {"?": subset} if subset else {}
        return tuple(sorted({**self._selector(host), **labels}.items()))

    def _selected(self, host: str, request: Request) -> Any:
        name = service_name(host)
        client = request.source_namespace or "istio-system"
        return self.index.rules.select(host, name.namespace if name else None, client, request.source_labels or {})[0]

    def _traffic_policy(self, host: str, subset: str, request: Request) -> str:
        selected = self._selected(host, request)
        return _json(effective(selected.traffic_policy, selected.subsets.get(subset)))


def _policy(route: HTTPRoute | None) -> str:
    return _json({name: getattr(route, name) for name in _FIELDS} if route else {})


def _responses(route: HTTPRoute | None) -> Iterator[tuple[str, Fraction]]:
    if route is None:  # a Service without routes, or a stream: nothing changes the response
        yield _json([{}, {}]), Fraction(1)
        return
    found = weighted(route.route)
    total = sum(weight for weight, _ in found) or 1
    whole = route.headers.response.model_dump(exclude_defaults=True)
    for weight, one in found:
        yield _json([whole, one.headers.response.model_dump(exclude_defaults=True)]), Fraction(weight, total)


def _summed(pairs: Iterable[tuple[Any, Fraction]]) -> frozenset[tuple[Any, Fraction]]:
    sums: dict[Any, Fraction] = {}
    for one, share in pairs:
        sums[one] = sums.get(one, Fraction(0)) + share
    return frozenset(sums.items())


def _json(value: Any) -> str:
    return json.dumps(_filled(value), sort_keys=True, default=str)


def _filled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(part) for name, part in value.items() if part not in (None, {}, [], ())}
    if isinstance(value, list | tuple):
        return [_filled(part) for part in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def compare(
    before: Index, after: Index, tag: str, lanes: Iterable[str], new: str | None = None, *, by_pods: bool = False
) -> Proof:
    """Asks both sets of resources the same requests.

    Parameters:
        tag: the name of the tag's header. lanes: its values.
        new: a lane whose tag means something only after: the baseline, where no route asked for it before.
        by_pods: two Services of one namespace that select the same Pods are alike: a version may be a Service of
            another name.
    """
    sides = _Side(before, by_pods=by_pods), _Side(after, by_pods=by_pods)
    proof, seen = Proof(), {}
    downstream = _Downstream(before, tag)
    for request in requests((before, after), tag, lanes):
        proof.asked += 1
        decisions = simulate(before, request), simulate(after, request)
        answers = sides[0].answer(request, decisions[0]), sides[1].answer(request, decisions[1])
        if answers[0] == answers[1]:
            proof.undecided += bool(decisions[0].undecided)
            continue
        if _without_tag(answers[0], tag) == _without_tag(answers[1], tag):
            what = downstream.why(request, *answers)
            if not what:
                proof.tags += 1
                continue
        else:
            what = _what(_without_tag(answers[0], tag), _without_tag(answers[1], tag))
        key = request.gateway, request.authority_host, *(str(one.route) for one in decisions), what
        is_new = new is not None and new in request.values(tag)
        found = Difference(request, *decisions, what, is_new)
        if key not in seen:
            seen[key] = found
        else:
            kept = seen[key] if seen[key].new_tag <= is_new else found
            seen[key] = replace(kept, count=seen[key].count + 1)
    proof.differences = list(seen.values())
    return proof


def _what(one: Answer, other: Answer) -> str:
    """The parts of two answers that differ, in words."""
    names = {
        "shares": "where it goes",
        "mirrors": "who gets a copy",
        "policy": "time-out, retries, fault or CORS",
        "response": "headers of the response",
    }
    return ", ".join(words for name, words in names.items() if getattr(one, name) != getattr(other, name))


def _without_tag(answer: Answer, tag: str) -> Answer:
    """An answer without the headers that an entry of a group governs: the tag's and baggage."""

    def bare(outcome: Any) -> Any:
        if len(outcome) != 8:
            return outcome
        headers = tuple(sorted((name, value) for name, value in outcome[4] if name not in (tag, BAGGAGE)))
        return *outcome[:4], headers, *outcome[5:]

    shares = _summed((bare(outcome), share) for outcome, share in answer.shares)
    response = _summed((one.replace(TRAIL, ""), share) for one, share in answer.response)
    return Answer(shares, answer.mirrors, answer.policy, response)


class _Downstream:
    """Whether a tag that an entry sets or removes changes what later services do, by the resources before."""

    def __init__(self, index: Index, tag: str) -> None:
        self._side, self._tag = _Side(index), tag
        resources = index.resources
        self._namespaces = sorted({one.namespace for one in resources.virtual_services})
        self._hosts = sorted({host for one in resources.virtual_services for host in _mesh_hosts(one)})
        self._same: dict[tuple[tuple[str, ...], tuple[str, ...]], str] = {}

    def why(self, request: Request, before: Answer, after: Answer) -> str:
        """The service that routes the changed tag in another way; empty where none does."""
        olds, news = self._tags(before), self._tags(after)
        for old in olds:
            for new in news:
                if old != new and (host := self._differs(old, new)):
                    said = [" and ".join(one) or "no tag" for one in (old, new)]
                    return f"the tag that goes on: {said[0]} before, {said[1]} after, which {host} routes in two ways"
        return ""

    def _tags(self, answer: Answer) -> list[tuple[str, ...]]:
        found = (outcome for outcome, _ in answer.shares if len(outcome) == 8)
        return sorted({tuple(value for name, value in one[4] if name == self._tag) for one in found})

    def _differs(self, old: tuple[str, ...], new: tuple[str, ...]) -> str:
        if (old, new) not in self._same:
            self._same[old, new] = next(
                (host for host in self._hosts if self._at(host, old) != self._at(host, new)), ""
            )
        return self._same[old, new]

    def _at(self, host: str, tags: tuple[str, ...]) -> list[Answer]:
        headers = tuple((self._tag, value) for value in tags)
        known = self._side.index.registry.get(host)
        port = min(known.ports) if known is not None and known.ports else 80
        asked = (Request(host, "/", "GET", headers, None, one, {}, port) for one in self._namespaces)
        return [_without_tag(self._side.answer(one, simulate(self._side.index, one)), self._tag) for one in asked]


def _mesh_hosts(one: VirtualService) -> Iterator[str]:
    if one.spec.hosts and MESH in bound_to(one.spec.gateways, one.namespace):
        yield from (host for host in resolved_hosts(one) if service_name(host))
