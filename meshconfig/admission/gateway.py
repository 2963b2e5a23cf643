"""Gateways, as Istio's webhook judges them.

Source: istio pkg/config/validation, validation.go (ValidateGateway, validateServer).
"""

from meshconfig.admission import formats
from meshconfig.admission.parts import Part, items
from meshconfig.admission.refusals import At, Refusals
from meshconfig.admission.server_tls import MODE, PASSTHROUGHS, check_server_tls
from meshconfig.istio import ports

PROTOCOLS = "HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TLS, TCP, MONGO, REDIS or MYSQL"
TLS = frozenset({"https", "tls"})


def check_gateway(spec: Part, at: At, out: Refusals, *, namespace: str) -> None:
    servers = items(spec, "servers")
    if not servers:
        out.missing(at, "servers is missing: a Gateway has at least one server")
    names: dict[str, int] = {}
    for number, server in enumerate(servers):
        here = ((at, "servers"), number)
        _check_server(server, here, out)
        name = (server.get("port") or {}).get("name")
        if name and (earlier := names.setdefault(name, number)) != number:
            out.repeated(((here, "port"), "name"), f"{name} is the name of servers[{earlier}]'s port: give it its own")


def check_gateway_name(name: str, at: At, out: Refusals) -> None:
    if name and not formats.is_dns_label(name):
        out.bad(at, f"{name!r}: a Gateway's name has only letters, digits and -, at most 63 characters")


def _check_server(server: Part, at: At, out: Refusals) -> None:
    if server.get("hosts") == []:
        out.missing((at, "hosts"), "a server has at least one host: hosts: [shop.example.com]")
    for number, host in enumerate(items(server, "hosts")):
        out.bad(((at, "hosts"), number), _host(host))
    bind, port, tls = server.get("bind") or "", server.get("port"), server.get("tls")
    _check_bind(bind, port, at, out)
    if tls is not None:
        check_server_tls(tls, (at, "tls"), out)
    if port is not None and _check_port(port, bind, (at, "port"), out):
        _check_protocol(ports.parse(port.get("protocol") or ""), tls, at, out)


def _host(host: str) -> str:
    namespace, slash, name = host.partition("/")
    if not slash:
        return _name(host)
    if namespace not in ("*", ".") and not formats.is_dns_label(namespace):
        return f"{namespace!r} is not a namespace: write one's name, . or * before the /"
    return _name(name)


def _name(host: str) -> str:
    if host != "*" and "." not in host:
        return f"{host!r} is a short name: write all of it, as in shop.example.com"
    return ("" if formats.is_ip(host) else formats.wildcard_domain(host)) or formats.partial_wildcard(host)


def _check_bind(bind: str, port: Part | None, at: At, out: Refusals) -> None:
    if bind.startswith(formats.UNIX):
        out.bad((at, "bind"), formats.unix_path(bind))
        if port is not None and port.get("number"):
            out.contradiction(((at, "port"), "number"), "a Unix socket has no port: write 0")
    elif bind and not formats.is_ip(bind):
        out.bad((at, "bind"), f"{bind!r} is not an IP address")


def _check_port(port: Part, bind: str, at: At, out: Refusals) -> bool:
    """Whether the port is as it should be, so that its protocol can be held against `tls`."""
    before = len(out.found)
    protocol, number = port.get("protocol"), port.get("number") or 0
    if protocol is not None and ports.parse(protocol) == ports.SNIFFED:
        out.bad((at, "protocol"), f"takes {PROTOCOLS}, not {protocol!r}")
    if number or not bind.startswith(formats.UNIX):
        out.bad((at, "number"), formats.port(number))
    if port.get("targetPort"):
        out.contradiction((at, "targetPort"), "has no effect in a Gateway, which Istio refuses: delete it")
    if port.get("name") == "":
        out.missing((at, "name"), "a server's port has a name: name: http")
    return len(out.found) == before


def _check_protocol(protocol: str, tls: Part | None, at: At, out: Refusals) -> None:
    if protocol in TLS:
        if tls is None:
            out.missing(at, f"tls is missing beside {protocol.upper()}: tls: {{mode: SIMPLE, credentialName: …}}")
    elif tls is not None and protocol not in ports.HTTP:
        out.contradiction((at, "tls"), f"{protocol.upper()} has no tls: write protocol TLS or HTTPS, or delete tls")
    elif tls is not None:
        given = [name for name in ("caCertificates", "privateKey", "serverCertificate") if tls.get(name)]
        if given or (tls.get("mode") or MODE) not in PASSTHROUGHS:
            out.contradiction(
                (at, "tls"), "plain HTTP has only tls.httpsRedirect: write protocol HTTPS for certificates"
            )
