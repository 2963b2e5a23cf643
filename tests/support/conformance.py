"""The conformance tests of Gateway API, read where Go's module cache has them: their manifests, and the answers that
they expect. Nothing of them is copied.
"""

import random
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml
from go_modules import CONFORMANCE, folder

from meshconfig.importing.requests import requests
from meshconfig.simulate import Index, Request

INFRA, MESH = "gateway-conformance-infra", "gateway-conformance-mesh"
GATEWAY = f"{INFRA}/same-namespace"
# What a proxy decides by the request alone: no TLS, no time-outs and retries, no copies.
AT_GATEWAYS = (
    "httproute-exact-path-matching",
    "httproute-header-matching",
    "httproute-matching",
    "httproute-matching-across-routes",
    "httproute-method-matching",
    "httproute-named-rule",
    "httproute-omitted-backendrefs",
    "httproute-path-match-order",
    "httproute-query-param-matching",
    "httproute-redirect-host-and-status",
    "httproute-redirect-path",
    "httproute-redirect-port",
    "httproute-redirect-scheme",
    "httproute-request-header-modifier",
    "httproute-request-header-modifier-backend-weights",
    "httproute-response-header-modifier",
    "httproute-rewrite-host",
    "httproute-rewrite-path",
    "httproute-simple-same-namespace",
    "httproute-weight",
)
IN_MESH = (
    "httproute-matching",
    "httproute-named-rule",
    "httproute-query-param-matching",
    "httproute-redirect-host-and-status",
    "httproute-redirect-path",
    "httproute-redirect-port",
    "httproute-redirect-scheme",
    "httproute-request-header-modifier",
    "httproute-rewrite-path",
    "httproute-simple-same-namespace",
    "httproute-weight",
    "mesh-split",
)
CASES = (*AT_GATEWAYS, *(f"mesh/{name}" for name in IN_MESH))

Manifest = dict[str, Any]


def base(case: str) -> list[Manifest]:
    """What a case's routes lead to: Namespaces, Services, Deployments, and the one Gateway of plain HTTP."""
    file = "mesh/manifests.yaml" if case.startswith("mesh/") else "base/manifests.yaml"
    return [one for one in _read(file) if one["kind"] != "Gateway" or one["metadata"]["name"] == "same-namespace"]


def routes(case: str) -> list[Manifest]:
    """A case's own manifests."""
    return _read(f"tests/{case}.yaml")


def _read(file: str) -> list[Manifest]:
    text = (folder(CONFORMANCE) / file).read_text().replace("{GATEWAY_CLASS_NAME}", "istio")
    return [one for one in yaml.safe_load_all(text) if one]


def generated(index: Index, case: str, most: int) -> Iterator[Request]:
    """Requests that meet and miss every condition of a case's routes, to each host and port so many."""
    parents = {f"{ref['name']}.{MESH}.svc.cluster.local" for one in routes(case) for ref in one["spec"]["parentRefs"]}
    by_host: dict[tuple[str, int | None], list[Request]] = {}
    for one in requests((index,), "version", ()):
        # The ports for TLS and TCP have no routes of HTTP to a sidecar.
        known = index.registry.get(one.host) if one.host in parents else None
        in_mesh = one.source_namespace == MESH and known is not None and known.is_http(one.port)
        if one.gateway == GATEWAY or (one.gateway is None and in_mesh):
            by_host.setdefault((one.host, one.port), []).append(one)
    draw = random.Random(1)
    for found in by_host.values():
        yield from found if len(found) <= most else draw.sample(found, most)


class Expected(NamedTuple):
    """An answer that a conformance test expects.

    Parameters:
        backend: the name of the Service; empty for any.
        status: the statuses that are right; empty for 200.
        path, headers, absent: of the request as it reaches the backend, where the test says it.
    """

    request: Request
    backend: str
    status: tuple[int, ...]
    path: str
    headers: dict[str, str]
    absent: tuple[str, ...]


def expected(case: str) -> Iterator[Expected]:
    """The answers that the Go code of a case expects."""
    text = re.sub(r"//[^\n\"]*\n", "\n", (folder(CONFORMANCE) / "tests" / f"{case}.go").read_text())
    for found in re.finditer(r"\[\]http\.ExpectedResponse(?=\{)", text):
        for one in _Literal(text[found.end() :]).value():
            yield _expected(one, mesh=case.startswith("mesh/"))


def _expected(one: Manifest, *, mesh: bool) -> Expected:
    asked, reached = one["Request"], one.get("ExpectedRequest") or {}
    there = reached.get("Request") or {}
    headers = [(name, value) for name, value in (asked.get("Headers") or {}).items()]
    host = asked.get("Host") or ("echo" if mesh else "192.0.2.1")
    gateway, namespace = (None, MESH) if mesh else (GATEWAY, "")
    path, method = asked.get("Path") or "/", asked.get("Method") or "GET"
    request = Request(host, path, method, headers, gateway, namespace, port=80)
    answer = one.get("Response") or {}
    status = [answer["StatusCode"]] if "StatusCode" in answer else answer.get("StatusCodes") or []
    return Expected(
        request,
        _backend(str(one.get("Backend") or "")),
        tuple(int(each) for each in status),
        str(there.get("Path") or ""),
        {name.lower(): value for name, value in (there.get("Headers") or {}).items()},
        tuple(name.lower() for name in reached.get("AbsentHeaders") or ()),
    )


def _backend(name: str) -> str:
    """A Service's name, also by the suite's constant for it, such as `confsuite.InfraBackendServiceNameV1`."""
    constant = re.fullmatch(r"confsuite\.(Infra)BackendServiceNameV([0-9])", name)
    return f"infra-backend-v{constant[2]}" if constant else name


_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|`[^`]*`|(?:\[\]|map\[string\])*[A-Za-z_][\w.]*|\d+|[{}:,&()])')


class _Literal:
    """A composite literal of Go: of a struct or a map a dict, of a slice a list, and of a name its text."""

    def __init__(self, text: str) -> None:
        self._text, self._place = text, 0

    def _next(self) -> str:
        found = _TOKEN.match(self._text, self._place)
        assert found, self._text[self._place : self._place + 80]
        self._place = found.end()
        return found[1]

    def _peek(self) -> str:
        place, found = self._place, self._next()
        self._place = place
        return found

    def value(self) -> Any:
        token = self._next()
        if token == "&":
            return self.value()
        if token == "{":
            return self._elements()
        if token[0] in '"`':
            return token[1:-1].replace('\\"', '"')
        if token.isdigit():
            return int(token)
        if self._peek() == "{":
            self._next()
            return self._elements()
        if self._peek() == "(":  # a call, whose value nobody needs
            while self._next() != ")":
                pass
        return token

    def _elements(self) -> Any:
        pairs: dict[str, Any] = {}
        items: list[Any] = []
        while self._peek() != "}":
            found = self.value()
            if self._peek() == ":":
                self._next()
                pairs[str(found).rpartition(".")[2]] = self.value()
            else:
                items.append(found)
            if self._peek() == ",":
                self._next()
        self._next()
        return pairs or items
