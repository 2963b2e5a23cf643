"""ServiceEntries, as Istio's webhook and the CEL rules of their CRD judge them.

Source: istio pkg/config/validation, validation.go (ValidateServiceEntry, validateWorkloadEntry).
"""

from collections.abc import Set
from typing import Any

from meshconfig.admission import formats
from meshconfig.admission.parts import Part, check_apart, check_export_to, check_labels, check_selector, items
from meshconfig.admission.refusals import At, Refusals
from meshconfig.istio import ports

RESOLUTION, LOCATION = "NONE", "MESH_EXTERNAL"  # where the fields are missing
_NAMED = ("DNS", "DNS_ROUND_ROBIN")
_DYNAMIC = ("http", "tls", "grpc", "http2")
_WAYPOINT = "istio.io/use-waypoint"


def check_service_entry(spec: Part, at: At, out: Refusals, *, namespace: str, labels: Part) -> None:
    resolution = spec.get("resolution") or RESOLUTION
    _check_hosts(spec, resolution, at, out)
    for number, address in enumerate(items(spec, "addresses")):
        out.bad(((at, "addresses"), number), formats.subnet(address))
    if any("/" in address for address in items(spec, "addresses")) and resolution not in ("NONE", "STATIC"):
        out.contradiction(
            (at, "addresses"), f"networks such as 10.0.0.0/8 are for resolution NONE and STATIC, not {resolution}"
        )
    check_selector(spec.get("workloadSelector"), (at, "workloadSelector"), out)
    _check_ports(spec, resolution, at, out)
    _check_endpoints(spec, resolution, at, out)
    if resolution == "DYNAMIC_DNS":
        _check_dynamic(spec, at, out, labels=labels)
    check_export_to(items(spec, "exportTo"), namespace, (at, "exportTo"), out, nobody=True)


def _check_hosts(spec: Part, resolution: str, at: At, out: Refusals) -> None:
    hosts = items(spec, "hosts")
    for number, host in enumerate(hosts):
        if host != "*":
            out.bad(((at, "hosts"), number), formats.wildcard_domain(host))
    if resolution in _NAMED and not items(spec, "endpoints"):
        place = next((one for one, host in enumerate(hosts) if "*" in host and not formats.wildcard_domain(host)), None)
        if place is not None:
            what = f"{hosts[place]} is no name to look up: with resolution {resolution} name endpoints, or write NONE"
            out.contradiction(((at, "hosts"), place), what)


def _check_ports(spec: Part, resolution: str, at: At, out: Refusals) -> None:
    hosts = items(spec, "hosts")
    numbers: set[Any] = set()
    for number, port in enumerate(items(spec, "ports")):
        here, protocol = ((at, "ports"), number), port.get("protocol") or ""
        check_apart(port, numbers, here, out)
        parsed = ports.parse(protocol)
        if (name := port.get("name")) is not None and not formats.is_dns_label(name):
            out.bad((here, "name"), f"{name!r} is not a port's name: letters, digits and -")
        if protocol and parsed == ports.SNIFFED:
            out.bad((here, "protocol"), f"Istio has no protocol {protocol!r}")
        elif resolution != "NONE" and len(hosts) > 1 and parsed not in (*ports.HTTP, "https", "tls"):
            out.contradiction(
                (here, "protocol"), "several hosts share a port only with HTTP or TLS: write one host each"
            )


def _check_endpoints(spec: Part, resolution: str, at: At, out: Refusals) -> None:
    endpoints = items(spec, "endpoints")
    names = {port.get("name") for port in items(spec, "ports")}
    if resolution == "NONE" and spec.get("endpoints") is not None:
        out.contradiction((at, "endpoints"), "resolution NONE has no endpoints: write STATIC or DNS, or delete them")
    if resolution == "DNS_ROUND_ROBIN" and len(endpoints) > 1:
        out.contradiction((at, "endpoints"), "resolution DNS_ROUND_ROBIN takes one endpoint")
    for number, endpoint in enumerate(endpoints):
        here, address = ((at, "endpoints"), number), endpoint.get("address") or ""
        if not address and not endpoint.get("network"):
            out.missing(here, "address is missing: address: 10.0.0.1")
        elif resolution == "STATIC":
            _check_static(endpoint, address, names, here, out)
        elif resolution in _NAMED:
            _check_named(endpoint, address, names, here, out)
        if address.startswith(formats.UNIX) and endpoint.get("ports") is not None:
            out.contradiction((here, "ports"), "a Unix socket has no ports: delete them")


def _check_static(endpoint: Part, address: str, names: Set[str | None], at: At, out: Refusals) -> None:
    socket = address.startswith(formats.UNIX)
    if address and not socket and not formats.is_ip(address):
        out.bad(
            (at, "address"), f"{address!r} is not an IP address, which resolution STATIC wants: write DNS for names"
        )
    if socket and len(names) != 1:
        out.contradiction((at, "address"), "a Unix socket serves one port: the ServiceEntry has to have exactly one")
    _check_ports_and_labels(endpoint, names, at, out)


def _check_named(endpoint: Part, address: str, names: Set[str | None], at: At, out: Refusals) -> None:
    if not formats.is_ip(address):
        out.bad((at, "address"), formats.fqdn(address))
    _check_ports_and_labels(endpoint, names, at, out)


def _check_ports_and_labels(endpoint: Part, names: Set[str | None], at: At, out: Refusals) -> None:
    for name, number in (endpoint.get("ports") or {}).items():
        if name not in names:
            out.bad(((at, "ports"), name), f"the ServiceEntry has no port {name}")
        if number is None:
            out.missing(((at, "ports"), name), f"the port has no number: {name}: 80")
    check_labels(endpoint.get("labels"), (at, "labels"), out)


def _check_dynamic(spec: Part, at: At, out: Refusals, *, labels: Part) -> None:
    for number, host in enumerate(items(spec, "hosts")):
        if not host.startswith("*"):
            out.contradiction(
                ((at, "hosts"), number), f"DYNAMIC_DNS is for wildcards, not {host}: write DNS for a name"
            )
    for field in ("addresses", "endpoints"):
        if items(spec, field):
            out.contradiction((at, field), f"resolution DYNAMIC_DNS looks the hosts up: delete {field}")
    for number, port in enumerate(items(spec, "ports")):
        if ports.parse(port.get("protocol") or "") not in _DYNAMIC:
            out.bad((((at, "ports"), number), "protocol"), "DYNAMIC_DNS takes HTTP, TLS, GRPC and HTTP2")
    waypoint = str(labels.get(_WAYPOINT) or "").lower()
    if (spec.get("location") or LOCATION) == "MESH_INTERNAL" and waypoint not in ("", "none"):
        out.contradiction((at, "location"), "MESH_INTERNAL with DYNAMIC_DNS has no waypoint: write MESH_EXTERNAL")
