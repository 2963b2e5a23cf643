"""Compares real answers with what a case expects. Who answered is known only where the answer says it."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from meshconfig.explain import Names, percent
from meshconfig.model import TRAIL
from meshconfig.route_tests.check import Reader
from meshconfig.route_tests.resolve import ExpectedShare, ResolvedCase, Version

_FALSE_ALARM = 1e-4  # at most this share of runs call right shares wrong
UNNAMED = (
    f"the answer does not say who gave it: only the header {TRAIL} (trail: true, for tagged requests) "
    "and the demo's JSON chain do"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One real answer.

    Parameters:
        location: where it redirects to, as a whole URL; empty where it does not.
        hops: service and version of all who answered, caller first; empty where the answer does not say it.
        saw: the tag that the first service saw, as the demo's services tell it; None where nobody tells.
    """

    status: int
    location: str = ""
    hops: tuple[tuple[str, str], ...] = ()
    saw: str | None = None


def read_answer(status: int, headers: Sequence[tuple[str, str]], body: bytes, url: str) -> Answer:
    """An answer of what came back.

    Parameters:
        headers: names in lower case, and values.
        url: of the request, as its client means it.
    """
    location = next((value for name, value in headers if name == "location"), "") if 300 <= status < 400 else ""
    chain = _chain(body)
    hops = tuple((str(one.get("service") or ""), str(one.get("env") or "")) for one in chain) or _trail(headers)
    saw = str(chain[0].get("saw") or "") if chain else None
    return Answer(status, urljoin(url, location) if location else "", hops, saw)


def _trail(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The hops of the trail, which lists the callee before its caller."""
    values = [part.strip() for name, value in headers if name == TRAIL for part in value.split(",")]
    pairs = [(service, version) for service, slash, version in (one.partition("/") for one in values) if slash]
    return tuple(reversed(pairs))


def _chain(body: bytes) -> list[Mapping[str, Any]]:
    """The chain that the demo's services answer with; empty for any other body."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return []
    chain = value.get("chain") if isinstance(value, dict) else None
    return chain if isinstance(chain, list) and chain and all(isinstance(one, dict) for one in chain) else []


@dataclass(frozen=True, slots=True)
class Compared:
    """What real answers show. `failures`: what is not as expected. `notes`: what they were, or could not show."""

    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def compare(names: Names, case: ResolvedCase, answers: Sequence[Answer]) -> Compared:
    """Compares the answers to equal requests: one, or several where the case expects shares."""
    judge = _Judge(names, case)
    if case.shares:
        return judge.shares(answers)
    (answer,) = answers
    return Compared(tuple(f"sent: {why}" for why in judge.failures(answer)), tuple(judge.notes(answer)))


class _Judge:
    def __init__(self, names: Names, case: ResolvedCase) -> None:
        self.names = names
        self.case = case
        self.expect = case.written.case.expect
        self.reader = Reader(names)

    def version(self, hop: tuple[str, str]) -> Version:
        """The host and version of a hop that an answer names; a host that is not known stays as it is written."""
        found = self.names.meant(hop[0], self.case.written.namespace)
        host = found[0] if len(found) == 1 else hop[0]
        return Version(host, self.names.version_of(host, hop[1]))

    def said(self, answer: Answer) -> str:
        if answer.location:
            return f"{answer.status} with a redirect to {answer.location}"
        who = " → ".join("/".join(part for part in hop if part) for hop in answer.hops)
        return f"{answer.status} from {who}" if who else f"status {answer.status}"

    def failures(self, answer: Answer) -> Iterator[str]:
        expect = self.expect
        if expect.redirect is not None and answer.location != expect.redirect:
            yield f"expected a redirect to {expect.redirect}; got {self.said(answer)}"
        if expect.status is not None and answer.status != expect.status:
            yield f"expected status {expect.status}; got {self.said(answer)}"
        if (self.case.answer or self.case.chain) and not answer.hops:
            yield f"expected {self.wanted()}; got {self.said(answer)}: {UNNAMED}"
        elif self.case.answer and not _is(self.case.answer, self.version(answer.hops[0])):
            yield f"expected {self.reader.expected(self.case.answer)}; got {self.said(answer)}"
        elif self.case.chain and not self.along(answer):
            yield f"expected the chain {self.wanted()}; got {self.said(answer)}"
        tags = {group.model.tag for group in self.names.given.groups}
        for name, wanted in self.case.expect_headers:
            if answer.saw is not None and name in tags and answer.saw != (wanted or ""):
                yield f"expected {name}: {wanted or 'absent'} at the service; it saw {answer.saw or 'none'}"

    def notes(self, answer: Answer) -> Iterator[str]:
        tags = {group.model.tag for group in self.names.given.groups}
        unseen = [name for name, _ in self.case.expect_headers if answer.saw is None or name not in tags]
        if unseen:
            yield f"sent: the answer does not show {', '.join(unseen)} as the service got it; only files were compared"

    def wanted(self) -> str:
        if self.case.chain:
            return " → ".join(map(self.reader.expected, self.case.chain))
        return self.reader.expected(self.case.answer) if self.case.answer else ""

    def along(self, answer: Answer) -> bool:
        """Whether the services of the chain answered in its order; others that were called besides do not count."""
        hosts = {one.host for one in self.case.chain}
        found = [one for hop in answer.hops if (one := self.version(hop)).host in hosts]
        each = [one for number, one in enumerate(found) if number == 0 or one != found[number - 1]]
        return len(each) == len(self.case.chain) and all(map(_is, self.case.chain, each))

    def shares(self, answers: Sequence[Answer]) -> Compared:
        total, found = len(answers), [self.share_of(one) for one in answers]
        unknown = sum(1 for one, share in zip(answers, found, strict=True) if share is None and not one.hops)
        if unknown:
            return Compared((f"sent: {unknown} of {total} answers: {UNNAMED}",))
        counts = Counter(found)
        failures = [why for one in self.case.shares if (why := self.differs(one, counts[one], total))]
        if counts[None]:
            failures.append(f"sent: {counts[None]} of {total} answers came from none of the expected")
        seen = ", ".join(f"{self.reader.expected(one.answer)} {counts[one]}" for one in self.case.shares)
        return Compared(tuple(failures), (f"sent: of {total} answers: {seen}",))

    def share_of(self, answer: Answer) -> ExpectedShare | None:
        """The expected share that an answer belongs to."""
        for one in self.case.shares:
            if isinstance(one.answer, int):
                if not answer.hops and answer.status == one.answer:
                    return one
            elif answer.hops and _is(one.answer, self.version(answer.hops[0])):
                return one
        return None

    def differs(self, one: ExpectedShare, count: int, total: int) -> str | None:
        low, high = accepted(float(one.share), total, _FALSE_ALARM / len(self.case.shares))
        if low <= count <= high:
            return None
        name = self.reader.expected(one.answer)
        return (
            f"sent: expected {percent(one.share)} for {name}; got {count} of {total} answers, where {low} to {high} "
            "are within chance"
        )


def _is(wanted: Version, got: Version) -> bool:
    return wanted.host in (None, got.host) and wanted.name in ("", got.name)


def accepted(share: float, total: int, risk: float) -> tuple[int, int]:
    """The counts that agree with a share, by an exact binomial test.

    Parameters:
        share: from 0 to 1.
        total: how many independent requests were sent.
        risk: the greatest probability with which a right share gives a count outside.
    """
    if share in (0.0, 1.0):
        return round(share * total), round(share * total)
    log, log_other = math.log(share), math.log1p(-share)
    whole = math.lgamma(total + 1)
    chances = [
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(total - k + 1) + k * log + (total - k) * log_other)
        for k in range(total + 1)
    ]
    return _cut(chances, risk / 2), total - _cut(chances[::-1], risk / 2)


def _cut(chances: Sequence[float], risk: float) -> int:
    """How many of the first counts are together no likelier than the risk."""
    below = 0.0
    for count, chance in enumerate(chances):
        below += chance
        if below > risk:
            return count
    return len(chances) - 1
