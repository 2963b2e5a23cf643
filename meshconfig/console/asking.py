"""One request: what the routes would do with it, and what really answered it.

The real one goes to the gateway that whoever started the console has named, with a host of the group's own entries, and
nowhere else: a person who may open the console cannot have it call other addresses.
"""

import re
import shlex
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import certifi
import urllib3

from meshconfig.errors import InputError
from meshconfig.exchange.connections import bounded
from meshconfig.exchange.send import Limits, NoAnswerError, Reply, send
from meshconfig.explain import Asked, Cluster, Given, Names, given_by, percent, request, unknown_lanes
from meshconfig.groups import Group
from meshconfig.istio.hosts import domain_matches
from meshconfig.model import TRAIL
from meshconfig.route_tests.sent import read_answer
from meshconfig.simulate import Decision, Request, Step, conditions, follow, near_misses, simulate
from meshconfig.spec import Entry, LaneGroup

LIMITS = Limits(seconds=10.0, size=64 << 10)
SHOWN = 2_000  # characters of a body
CHAINS = 6  # ways through the services that are followed
LONGEST = 8  # services in one of them
MOST_HEADERS = 30
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,4000}")
_PATH = re.compile(r"/[^\s#\x00-\x1f\x7f-\x9f\ud800-\udfff]{0,2000}")  # without a fragment
_ASCII = "".join(map(chr, range(0x21, 0x7F)))  # what a browser sends of a path as it is
# What a connection has of its own, or what would make the gateway see another host than the one that was checked.
_OWN = frozenset(
    "host connection content-length transfer-encoding upgrade te trailer expect proxy-authorization".split()
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where requests are sent: the mesh's gateway, as the console reaches it.

    Parameters:
        origin: `http://HOST:PORT` or `https://HOST:PORT`.
    """

    origin: str

    @classmethod
    def parse(cls, text: str) -> "Gateway":
        """
        Raises:
            InputError: it is no such URL.
        """
        try:
            parts = urlsplit(text if "//" in text else f"http://{text}")
            known = parts.hostname and parts.scheme in ("http", "https") and (parts.port is None or parts.port > 0)
        except ValueError:
            known = False
        if not known or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
            raise InputError.at("--gateway", f"takes the gateway's http://HOST:PORT or https://HOST:PORT, not {text!r}")
        return cls(f"{parts.scheme}://{parts.netloc}")


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asks about, checked.

    Parameters:
        host: in lower case, as routes are compared.
        path: as a browser sends it: what is not ASCII is percent-encoded.
        headers: those that were typed; the lane's tag comes before them.
        lane: empty for a request without a tag.
    """

    host: str
    path: str
    lane: str
    headers: tuple[tuple[str, str], ...]
    sent: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, group: LaneGroup, host: str, path: str, lane: str, headers: str) -> "Question":
        """
        Parameters:
            headers: lines `NAME: VALUE`.

        Raises:
            InputError: a part has no such form, or the host is not one of the group's entries.
        """
        host, path = host.strip().lower(), path.strip()
        entry_of(group, host)
        if not _PATH.fullmatch(path):
            raise InputError.at("path", "begins with /, has 2001 characters at most, and neither spaces nor #")
        if lane and lane not in group.spec.lanes:
            raise InputError.at("lane", f"there is no lane {lane}")
        typed = tuple(_headers(headers))
        tag = ((group.spec.tag.header, lane),) if lane else ()
        return cls(host, quote(path, safe=_ASCII), lane, typed, (*tag, *typed))


def entry_of(group: LaneGroup, host: str) -> Entry:
    """The entry that has a host.

    Raises:
        InputError: none has.
    """
    name = host.rpartition(":")[0] if re.search(r":\d{1,5}$", host) else host
    plain = re.fullmatch(r"[A-Za-z0-9._-]{1,253}", name)
    found = next((one for one in group.spec.entries if any(domain_matches(each, name) for each in one.hosts)), None)
    if not plain or found is None:
        listed = ", ".join(each for one in group.spec.entries for each in one.hosts)
        raise InputError.at("host", f"is not one of this group's entries: {listed or 'it has none'}")
    return found


def _headers(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_HEADERS:
        raise InputError.at("headers", f"are {MOST_HEADERS} at most")
    for line in lines:
        name, colon, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise InputError.at("headers", f"are lines NAME: VALUE, not {line!r}")
        if name in _OWN:
            raise InputError.at("headers", f"cannot have {name}: it belongs to the connection, or is the host above")
        yield name, value


@dataclass(frozen=True, slots=True)
class ExplainedHop:
    """What is said of one hop.

    Parameters:
        place: the host that is asked, or `caller → callee`.
        answers: who answers, each with its share; the share is empty for all requests.
        reasons: the earlier routes that do not take the request, each with why.
        sees: the headers that arrive there, those of the question and the tag alone.
    """

    place: str
    answers: tuple[tuple[str, str], ...]
    route: str
    reasons: tuple[str, ...]
    sees: str


@dataclass(frozen=True, slots=True)
class Explained:
    """The answer that the routes give.

    Parameters:
        hops: the entry's first, then those along the calls that the spec has.
        notes: what is not certain, a sentence each.
    """

    hops: tuple[ExplainedHop, ...]
    notes: tuple[str, ...]


def explain(group: Group, question: Question, cluster: Cluster | None) -> Explained:
    """What the routes would do.

    Parameters:
        cluster: what the cluster has, of which the group's own resources are replaced by what its spec renders to; None
            for the spec alone.

    Raises:
        InputError: the host or the headers make no request.
    """
    given = given_by([*group.documents], [], group.spec.metadata.namespace, *(() if cluster is None else (cluster,)))
    names = Names(given)
    entry = entry_of(group.spec, question.host)
    scheme = "https" if entry.gateway.tls else "http"
    asked = Asked(question.host, question.path, question.sent, scheme=scheme)
    made, _ = request(names, asked)
    decision = simulate(given.index, made)
    first = _hop(names, made.host, decision)
    notes = [*given.notes, *unknown_lanes(given, question.sent), *decision.undecided]
    notes += [str(one) for one in near_misses(given.index, made, decision)]
    notes += [str(one) for one in conditions(given.index, made) if not one.refusal]
    return Explained((first, *_along(names, given, made, decision)), tuple(dict.fromkeys(notes)))


def _hop(names: Names, place: str, decision: Decision) -> ExplainedHop:
    answers = tuple(
        (names.said(one.outcome), "" if one.probability == 1 else percent(one.probability)) for one in decision.shares
    )
    route = decision.route
    destinations = decision.destinations
    sees = "  ".join(f"{name}: {value}" for name, value in destinations[0].headers) if len(destinations) == 1 else ""
    return ExplainedHop(
        place,
        answers,
        (route.name or str(route)) if route else "",
        tuple(f"{one.route.name or one.route}: {one}" for one in decision.skipped),
        sees,
    )


def _along(names: Names, given: Given, made: Request, first: Decision) -> Iterator[ExplainedHop]:
    """The hops below the first, each call of the spec once."""
    seen: set[tuple[str, str]] = set()
    calls = {one.name: one.calls for model in given.models for one in model.services}
    starts = list(dict.fromkeys(names.short(names.place(one)[0]) for one in first.destinations))
    for chain in _chains(calls, starts):
        hops = [hop for name in chain if (hop := names.hop(name, None))]
        steps = follow(given.index, made, [(hop.host, hop.port) for hop in hops], carrying=names.carrying)
        for number in range(1, len(hops)):
            edge = (chain[number - 1], chain[number])
            if edge not in seen and (found := _likeliest(steps, number)):
                seen.add(edge)
                yield _hop(names, f"{edge[0]} → {edge[1]}", found.decisions[number])


def _chains(calls: Mapping[str, Sequence[str]], starts: Sequence[str]) -> list[list[str]]:
    """The ways through the services, the longest of each; a service that is called again ends one."""
    done: list[list[str]] = []
    left = [[one] for one in starts]
    while left and len(done) < CHAINS:
        way = left.pop(0)
        onward = [one for one in calls.get(way[-1], ()) if one not in way] if len(way) < LONGEST else []
        if onward:
            left[:0] = [[*way, one] for one in onward]
        else:
            done.append(way)
    return done


def _likeliest(steps: Sequence[Step], number: int) -> Step | None:
    return max((one for one in steps if len(one.decisions) > number), key=lambda one: one.probability, default=None)


@dataclass(frozen=True, slots=True)
class Answered:
    """A real answer.

    Parameters:
        hops: `service/version` of all who answered, caller first; empty where the answer does not say it.
        headers: those that tell of lanes.
        problem: why there is no answer; empty where there is one.
    """

    status: int = 0
    hops: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    problem: str = ""


def ask(gateway: Gateway, question: Question) -> Answered:
    """Sends the request to the gateway, once."""
    pool = _pool(question.host)
    headers = urllib3.HTTPHeaderDict([("host", question.host)])
    for name, value in question.sent:
        headers.add(name, value)
    try:
        reply = send(pool, "GET", f"{gateway.origin}{question.path}", limits=LIMITS, headers=headers)
    except NoAnswerError as error:
        return Answered(problem=str(error))
    finally:
        pool.clear()
    return _answered(reply, question)


def _pool(host: str) -> urllib3.PoolManager:
    """By HTTPS the certificate is judged for the host that was asked, and not for the gateway's address."""
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    manager = urllib3.PoolManager(ssl_context=context, server_hostname=name, assert_hostname=name)
    bounded(manager)
    return manager


def _answered(reply: Reply, question: Question) -> Answered:
    pairs = [(name.lower(), value) for name, value in reply.headers.items()]
    read = read_answer(reply.status, pairs, reply.data, f"http://{question.host}{question.path}")
    told = tuple(
        (name, value[:SHOWN]) for name, value in pairs if name in (TRAIL, "location", "content-type", "set-cookie")
    )
    hops = tuple(f"{service}/{version}" for service, version in read.hops)
    return Answered(reply.status, hops, told, reply.data.decode("utf-8", "replace")[:SHOWN])


def curl(gateway: Gateway | None, question: Question) -> str:
    """A command that sends the same request."""
    words = [f"{name}: {value}" for name, value in question.sent]
    origin = f"http://{question.host}"
    if gateway is not None:
        origin, words = gateway.origin, [f"Host: {question.host}", *words]
    return shlex.join(["curl", "-i", *(word for one in words for word in ("-H", one)), f"{origin}{question.path}"])
