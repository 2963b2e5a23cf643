"""Two Gateways with one certificate on the same port of the same Pods."""

from collections.abc import Iterator
from typing import NamedTuple

from meshconfig.istio import Gateway, Server
from meshconfig.istio.gateways import ends_https
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.load import FieldPath

Key = tuple[int, str, frozenset[tuple[str, str]]]  # port, certificate, selector


class Secured(NamedTuple):
    gateway: Gateway
    path: FieldPath


def check(index: Index) -> Iterator[Hit]:
    for (port, certificate, _), every in _secured(index).items():
        first = every[0].gateway
        second = next((one.gateway for one in every if one.gateway is not first), None)
        for one in every if second else ():
            other = second if one.gateway is first else first
            yield Hit(one.gateway, one.path, f"{other} has the certificate {certificate} on port {port} too")


def _secured(index: Index) -> dict[Key, list[Secured]]:
    found: dict[Key, list[Secured]] = {}
    for gateway in index.resources.gateways:
        pods = frozenset(gateway.spec.selector.items())
        for number, server in enumerate(gateway.spec.servers):
            if ends_https(server) and (certificate := _certificate(server)):
                key = (server.port.number, certificate, pods)
                found.setdefault(key, []).append(Secured(gateway, ("spec", "servers", number, "tls")))
    return found


def _certificate(server: Server) -> str:
    if server.tls is None:
        return ""
    return server.tls.credential_name or str((server.tls.model_extra or {}).get("serverCertificate", ""))


RULE = Rule(
    code="GL403",
    level=Level.WARNING,
    title="Two Gateways use one certificate on the same port of the same Pods.",
    fix="Put the hosts into one server of one Gateway, or give each its own certificate.",
    why="Browsers send requests for all hosts of a certificate over one HTTP/2 connection. It belongs to one Gateway, "
    "which answers 404 for the hosts of the other.",
    istio=("IST0138",),
    needs=("Gateway",),
    resources=check,
)
