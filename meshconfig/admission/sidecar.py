"""Sidecars, as Istio's webhook judges them.

Source: istio pkg/config/validation, validation.go (ValidateSidecar).
"""

from collections.abc import Sequence
from typing import Any

from meshconfig.admission import formats
from meshconfig.admission.parts import Part, check_apart, check_destination, check_selector, items
from meshconfig.admission.refusals import At, Refusals
from meshconfig.admission.server_tls import check_server_tls
from meshconfig.admission.traffic_policy import check_connection_pool
from meshconfig.istio import ports

_POLICIES = ("outboundTrafficPolicy", "inboundConnectionPool")
_LOOPBACK = ("", "127.0.0.1", "0.0.0.0", "::1", "::")
_UNSUPPORTED_TLS = ("subjectAltNames", "httpsRedirect", "credentialName", "credentialNames", "tlsCertificates")


def check_sidecar(spec: Part, at: At, out: Refusals, *, namespace: str) -> None:
    given = (items(spec, "egress"), items(spec, "ingress"), *(spec.get(name) is not None for name in _POLICIES))
    if not any(given):
        out.missing(at, "the Sidecar is empty: give egress, ingress or outboundTrafficPolicy")
    check_selector(spec.get("workloadSelector"), (at, "workloadSelector"), out)
    _check_ingress(items(spec, "ingress"), (at, "ingress"), out)
    check_connection_pool(spec.get("inboundConnectionPool"), (at, "inboundConnectionPool"), out)
    _check_egress(items(spec, "egress"), (at, "egress"), out)
    if (policy := spec.get("outboundTrafficPolicy")) is not None and policy.get("egressProxy") is not None:
        _check_egress_proxy(policy, (at, "outboundTrafficPolicy"), out)


def _check_ingress(listeners: Sequence[Part], at: At, out: Refusals) -> None:
    numbers: set[Any] = set()
    for index, listener in enumerate(listeners):
        here, port = (at, index), listener.get("port")
        if port is None:
            continue
        _check_port(port, (here, "port"), out)
        out.bad(((here, "port"), "number"), formats.port(port.get("number") or 0))
        _check_bind(listener, here, out)
        check_apart(port, numbers, (here, "port"), out)
        if endpoint := listener.get("defaultEndpoint"):
            out.bad((here, "defaultEndpoint"), _endpoint(endpoint))
        if (tls := listener.get("tls")) is not None:
            _check_tls(tls, port, (here, "tls"), out)
        check_connection_pool(listener.get("connectionPool"), (here, "connectionPool"), out)


def _check_tls(tls: Part, port: Part, at: At, out: Refusals) -> None:
    for name in _UNSUPPORTED_TLS:
        if tls.get(name):
            out.contradiction((at, name), "a Sidecar does not have it: delete it")
    if tls.get("mode") in ("ISTIO_MUTUAL", "AUTO_PASSTHROUGH"):
        out.contradiction((at, "mode"), f"{tls['mode']} is for Gateways")
    if ports.parse(port.get("protocol") or "") not in ("https", "tls"):
        out.contradiction(at, "only ports of protocol HTTPS or TLS have tls")
    check_server_tls(tls, at, out)


def _check_port(port: Part, at: At, out: Refusals) -> None:
    if (name := port.get("name")) and not formats.is_dns_label(name):
        out.bad((at, "name"), f"{name!r} is not a port's name: letters, digits and -")
    if (protocol := port.get("protocol")) and ports.parse(protocol) == ports.SNIFFED:
        out.bad((at, "protocol"), f"Istio has no protocol {protocol!r}")
    if port.get("targetPort"):
        out.contradiction((at, "targetPort"), "has no effect in a Sidecar, which Istio refuses: delete it")


def _check_bind(listener: Part, at: At, out: Refusals) -> None:
    if (bind := listener.get("bind")) and not formats.is_ip(bind):
        out.bad((at, "bind"), f"{bind!r} is not an IP address")


def _endpoint(text: str) -> str:
    """`127.0.0.1:8080`, `[::1]:8080`, `:8080` or `unix:///path`."""
    if text.startswith(formats.UNIX):
        return formats.unix_path(text)
    host, colon, port = text.rpartition(":")
    plain = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    fits = colon and plain in _LOOPBACK and (plain == host) == (":" not in plain)
    if fits and port.isascii() and port.isdigit():
        return formats.port(int(port))
    return f"{text!r}: write 127.0.0.1:PORT, 0.0.0.0:PORT, [::1]:PORT, [::]:PORT or unix:///PATH"


def _check_egress(listeners: Sequence[Part], at: At, out: Refusals) -> None:
    numbers: set[Any] = set()
    sockets: set[str] = set()
    for index, listener in enumerate(listeners):
        here, port = (at, index), listener.get("port")
        if port is not None:
            _check_egress_port(listener, port, numbers, sockets, here, out)
        elif index != len(listeners) - 1:
            out.contradiction(here, "a listener without a port takes what the others leave: put it last, and only one")
        if listener.get("hosts") == []:
            out.missing((here, "hosts"), "a listener has at least one host: hosts: ['./*']")
        for number, host in enumerate(items(listener, "hosts")):
            out.bad(((here, "hosts"), number), _host(host))


def _check_egress_port(listener: Part, port: Part, numbers: set[Any], sockets: set[str], at: At, out: Refusals) -> None:
    _check_port(port, (at, "port"), out)
    bind = listener.get("bind") or ""
    if port.get("number"):
        out.bad(((at, "port"), "number"), formats.port(port["number"]))
        _check_bind(listener, at, out)
        check_apart(port, numbers, (at, "port"), out)
        return
    if not bind.startswith(formats.UNIX):
        out.missing((at, "port"), "number is missing; a listener without one binds to unix:///PATH")
    out.bad((at, "bind"), formats.unix_path(bind))
    if (listener.get("captureMode") or "DEFAULT") == "IPTABLES":
        out.contradiction((at, "captureMode"), "a Unix socket cannot be captured: write NONE")
    if bind in sockets:
        out.repeated((at, "bind"), f"two listeners bind to {bind}")
    sockets.add(bind)


def _host(host: str) -> str:
    namespace, slash, name = host.partition("/")
    if not slash:
        return f"{host!r}: write namespace/host, as in ./* or istio-system/*"
    plain = namespace.removeprefix("~")
    if not namespace or not (plain in ("", "*", ".") or formats.is_dns_label(plain)):
        return f"{namespace!r} is not a namespace: write one's name, . or * before the /"
    if name != "*" and "." not in name:
        return f"{name!r} is a short name: write all of it, as in reviews.demo.svc.cluster.local"
    return formats.wildcard_domain(name) or formats.partial_wildcard(name)


def _check_egress_proxy(policy: Part, at: At, out: Refusals) -> None:
    proxy = policy["egressProxy"]
    if (policy.get("mode") or "REGISTRY_ONLY") != "ALLOW_ANY":
        out.contradiction((at, "egressProxy"), "needs mode: ALLOW_ANY beside it")
        return
    host = proxy.get("host") or ""
    if host != "*" and not formats.wildcard_domain(host):
        out.bad(((at, "egressProxy"), "host"), formats.fqdn(host))
    if proxy.get("port") is None:
        out.missing((at, "egressProxy"), "port is missing: port: {number: 80}")
    check_destination(proxy, (at, "egressProxy"), out)
