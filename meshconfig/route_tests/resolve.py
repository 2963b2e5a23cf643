"""From the names of a case to hosts and versions that specs or manifests have."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from meshconfig.errors import InputError, Problem, nearest
from meshconfig.explain import Asked, Hop, Names, request, unknown_lanes
from meshconfig.route_tests.read import WrittenCase
from meshconfig.simulate import Request


class Version(NamedTuple):
    """A service's version. `host`: None for any service; `name`: empty for any version."""

    host: str | None
    name: str


class ExpectedShare(NamedTuple):
    """A share of the requests.

    Parameters:
        answer: the version, or the status, that gets it.
        share: from 0 to 1.
        digits: half a unit of the last digit that is written, within which a share is equal.
    """

    answer: Version | int
    share: Fraction
    digits: Fraction


@dataclass(frozen=True, slots=True)
class ResolvedCase:
    """A case whose names are known.

    Parameters:
        origin: a sentence on where the request comes from.
        answer: who is to answer; None where nothing says.
        chain: who is to answer along the chain, with the services to follow.
        notes: what `graylane explain` remarks about the request, one sentence each.
    """

    written: WrittenCase
    request: Request
    origin: str
    answer: Version | None = None
    chain: tuple[Version, ...] = ()
    hops: tuple[Hop, ...] = ()
    shares: tuple[ExpectedShare, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def expect_headers(self) -> Iterable[tuple[str, str | None]]:
        return self.written.case.expect.headers.items()


def resolve(names: Names, cases: Iterable[WrittenCase], namespace: str | None) -> list[ResolvedCase]:
    """The cases with their names resolved.

    Parameters:
        namespace: that of short names, where the tests name none; None where nothing says it.

    Raises:
        InputError: lists with file and line every service, version, lane, gateway and sender that is not there.
    """
    found: list[ResolvedCase] = []
    problems: list[Problem] = []
    for one in cases:
        try:
            found.append(_Resolver(names, one, one.namespace or namespace).resolved())
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(sorted(problems))
    return found


class _Resolver:
    """Resolves one case, and collects the problems with its expectation."""

    def __init__(self, names: Names, written: WrittenCase, namespace: str | None) -> None:
        self.names = names
        self.written = written
        self.namespace = namespace
        self.problems: list[Problem] = []

    def resolved(self) -> ResolvedCase:
        made, origin = request(self.names, self.asked())
        expect = self.written.case.expect
        answer = None
        if expect.service is not None or expect.version is not None:
            host = self.host(expect.service, "service") if expect.service is not None else None
            answer = self.version(host, expect.version or "", "version")
        hops = self.hops()
        chain = tuple(self.hop_version(number, hop) for number, hop in enumerate(hops))
        shares = tuple(self.shares(answer))
        self.lanes()
        if self.problems:
            raise InputError(self.problems)
        notes = unknown_lanes(self.names.given, self.written.case.request.pairs)
        return ResolvedCase(self.written, made, origin, answer, chain, hops, shares, tuple(notes))

    def asked(self) -> Asked:
        given = self.written.case.request

        def problem(name: str, message: str) -> Problem:
            return self.written.problem(("request", name), message)

        return Asked(
            given.host,
            given.path,
            given.pairs,
            given.method,
            given.source,
            given.port,
            given.scheme,
            given.gateway,
            self.namespace,
            problem,
            prefix="",
        )

    def add(self, path: Sequence[str | int], message: str) -> None:
        self.problems.append(self.written.problem(("expect", *path), message))

    def host(self, name: str, *path: str | int) -> str | None:
        found = self.names.meant(name, self.namespace)
        if len(found) != 1:
            self.add(path, self.names.unknown(name))
            return None
        return found[0]

    def version(self, host: str | None, name: str, *path: str | int) -> Version:
        """A version of a host, or of any host for None."""
        known = self.names.versions[host] if host else frozenset().union(*self.names.versions.values())
        if name and name not in known:
            of = f" of {self.names.short(host)}" if host else ""
            self.add(path, f"there is no version {name}{of}{nearest(name, known)}")
        return Version(host, self.names.version_of(host, name) if host and name else name)

    def hops(self) -> tuple[Hop, ...]:
        found: list[Hop] = []
        for number, text in enumerate(self.written.case.expect.chain or ()):
            service = text.partition("/")[0]
            if (hop := self.names.hop(service, self.namespace)) is None:
                self.add(("chain", number), self.names.unknown(service))
                return ()
            found.append(hop)
        return tuple(found)

    def hop_version(self, number: int, hop: Hop) -> Version:
        text = (self.written.case.expect.chain or ())[number]
        return self.version(hop.host, text.partition("/")[2], "chain", number)

    def shares(self, answer: Version | None) -> Iterator[ExpectedShare]:
        for key, percent in (self.written.case.expect.shares or {}).items():
            written = Decimal(repr(percent))
            # 33.3 stands for a third: a share is compared to the digits that are written.
            digits = Fraction(Decimal(5).scaleb(min(int(written.as_tuple().exponent), 0) - 1)) / 100
            yield ExpectedShare(self.share_of(key, answer), Fraction(written) / 100, digits)

    def share_of(self, key: str, answer: Version | None) -> Version | int:
        service, slash, version = key.partition("/")
        host = answer.host if answer else None
        if slash:
            return self.version(self.host(service, "shares", key), version, "shares", key)
        known = self.names.versions[host] if host else frozenset().union(*self.names.versions.values())
        if key not in known and key.isdigit() and 100 <= int(key) <= 599:
            return int(key)
        return self.version(host, key, "shares", key)

    def lanes(self) -> None:
        """A tag that reaches the service is that of a lane, or the one that the request has."""
        sent = self.written.case.request.headers
        for group in self.names.given.groups:
            tag, lanes = group.model.tag, group.spec.spec.lanes
            value = self.written.case.expect.headers.get(tag)
            if value and value.partition(".")[0] not in lanes and value not in sent.get(tag, ()):
                self.add(("headers", tag), f"there is no lane {value}{nearest(value, lanes)}")
