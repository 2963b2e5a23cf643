"""The port of a service outside the mesh that does not fit what its proxies speak there."""

from collections.abc import Iterator

from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule

_TLS = (443, 8443)
_PLAIN = (80, 8080)


def check(group: Group, _index: Index) -> Iterator[Hit]:
    for name, service in group.spec.spec.services.items():
        external, where = service.external, ("spec", "services", name, "external")
        if external is None:
            continue
        has_tls = external.tls is not None or "tls" in service.traffic_policy
        if external.target_port in _TLS and not has_tls:
            message = f"port {external.target_port} speaks TLS, and proxies send plain HTTP there: add tls: SIMPLE"
            yield Hit(group, (*where, "port"), message)
        if external.target_port in _PLAIN and has_tls:
            message = f"port {external.target_port} speaks plain HTTP, and proxies make TLS: write port: 443"
            yield Hit(group, (*where, "port"), message)
        if service.port in _TLS:
            message = f"callers of {service.host}:{service.port} speak TLS themselves, which no proxy can route by lane"
            yield Hit(group, ("spec", "services", name, "port"), f"{message}: have them call http://{service.host}")


RULE = Rule(
    code="GL616",
    level=Level.WARNING,
    title="The port of a service outside the mesh is one for TLS, and proxies speak plain HTTP there, or the reverse.",
    fix="Let callers use port 80, and give external tls: SIMPLE, whose port is 443 by default.",
    why="A proxy routes by headers only what it reads. So callers send plain HTTP, and the proxy makes TLS of it. "
    "Plain HTTP to a port for TLS is answered with 400 or by no answer, TLS to a port for HTTP by none.",
    spec=check,
)
