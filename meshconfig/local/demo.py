"""The demo's questions to a running mesh, and what is to come back."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx

from meshconfig.errors import InputError, LocalMeshError
from meshconfig.load import Document
from meshconfig.local.mesh import Mesh
from meshconfig.local.plan import Plan

FIRST, SECOND = "cat", "mouse"  # cat is asked, and calls mouse
GRAY, PROD = "gray", "prod"
PATH = "/sayHello"
TRAIL = "x-graylane-trail"  # a response header for each version that took part, the last in the chain first
_PATIENCE = 15.0  # seconds for an answer


@dataclass(frozen=True, slots=True)
class Chain:
    """Who answered: the version of cat (empty if mouse was asked directly) and of mouse, and the tag that mouse saw."""

    cat: str
    mouse: str
    saw: str

    def __str__(self) -> str:
        versions = " → ".join(f"{name} {env}" for name, env in ((FIRST, self.cat), (SECOND, self.mouse)) if env)
        return f"{versions}, saw {self.saw or 'no tag'}"

    @property
    def trail(self) -> tuple[str, ...]:
        """The trail that such a chain leaves, caller first."""
        return tuple(f"{name}/{env}" for name, env in ((FIRST, self.cat), (SECOND, self.mouse)) if env)


@dataclass(frozen=True, slots=True)
class Question:
    """A request: the values of its tag headers, of the gateway or of mouse's own address, and who is to answer."""

    tags: tuple[str, ...]
    expected: Chain
    direct: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `trail`: caller first; empty where the spec asks for none, and for an untagged request."""

    question: Question
    chain: Chain
    trail: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        return self.chain == self.question.expected and self.trail in ((), self.chain.trail)


WITH_BOTH = (
    Question((GRAY,), Chain(GRAY, GRAY, GRAY)),
    Question((PROD,), Chain(PROD, PROD, PROD)),
    Question(("daily",), Chain(PROD, PROD, "")),
    Question((), Chain(PROD, PROD, "")),
    Question(("nobody", GRAY), Chain(GRAY, GRAY, GRAY)),
    Question((f"{GRAY},{PROD}",), Chain(PROD, PROD, "")),
    Question((GRAY,), Chain("", GRAY, GRAY), direct=True),
    Question((PROD,), Chain("", PROD, PROD), direct=True),
    # Between services nobody takes a tag off, not even one that names no lane: only an entry does.
    Question(("daily",), Chain("", PROD, "daily"), direct=True),
    Question((), Chain("", PROD, ""), direct=True),
)
WITHOUT_GRAY_MOUSE = (Question((GRAY,), Chain(GRAY, PROD, GRAY)),)


def check(plan: Plan, file: str) -> None:
    """Is it a spec that the questions fit?

    Raises:
        InputError: no entry, or no cat or mouse with the versions prod and gray.
    """
    spec = plan.groups[0].spec.spec
    for name in (FIRST, SECOND):
        if not {PROD, GRAY} <= (spec.services[name].versions.keys() if name in spec.services else set()):
            message = f"the demo asks {FIRST}, which calls {SECOND}: it needs {name} in versions {PROD} and {GRAY}"
            raise InputError.at(file, message)
    if not spec.entries:
        raise InputError.at(file, "the demo asks at an entry, and this spec has none")


def without_gray_mouse(documents: Sequence[Document]) -> list[Document]:
    """The same documents with mouse's gray version taken out of the spec."""
    return [replace(document, value=_without(document.value)) for document in documents]


async def ask(mesh: Mesh, questions: Sequence[Question]) -> list[Answer]:
    """Send each request once, one after the other.

    Raises:
        LocalMeshError: there is no answer, or not the demo services'.
    """
    async with httpx.AsyncClient(timeout=_PATIENCE, trust_env=False) as client:
        return [await _answer(client, mesh, question) for question in questions]


async def _answer(client: httpx.AsyncClient, mesh: Mesh, question: Question) -> Answer:
    model = mesh.plan.models[0]
    url = mesh.services()[SECOND] if question.direct else mesh.gateways()[0][1]
    headers = [(model.tag, value) for value in question.tags]
    headers += [] if question.direct else [("host", model.entries[0].hosts[0])]
    try:
        reply = await client.get(url + PATH, headers=headers)
        return Answer(question, _chain(reply.json()["chain"]), tuple(reversed(reply.headers.get_list(TRAIL))))
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise LocalMeshError(f"no chain came back from {url}{PATH}: {error!r}") from error


def _chain(hops: Sequence[dict[str, Any]]) -> Chain:
    by_service = {hop["service"]: hop for hop in hops}
    first, second = by_service.get(FIRST, {}), by_service.get(SECOND, {})
    mouse = second.get("env") or f"status {second.get('status', 'none')}"
    return Chain(first.get("env", ""), mouse, second.get("saw") or "")


def _without(value: Any) -> Any:
    value = copy.deepcopy(value)
    services = value["spec"].get("services", {}) if value.get("kind") == "LaneGroup" else {}
    services.get(SECOND, {}).get("versions", {}).pop(GRAY, None)
    return value


def failures(answers: Sequence[Answer]) -> Iterator[str]:
    """What is not as expected, in words."""
    for one in answers:
        if not one.right:
            trail = f", with the trail {' → '.join(one.trail)}" if one.trail else ""
            yield f"expected {one.question.expected}; got {one.chain}{trail}"
