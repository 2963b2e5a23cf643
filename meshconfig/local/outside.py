"""Hosts outside the mesh that no process stands for: Envoy calls them itself, with the TLS that a sidecar makes."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import certifi

from meshconfig.istio import ServiceEntry
from meshconfig.local.config import Json
from meshconfig.local.values import typed

_DNS = "DNS"
_TLS = "extensions.transport_sockets.tls.v3.UpstreamTlsContext"


def addresses(entry: ServiceEntry, host: str, port: int) -> list[tuple[str, int]]:
    """The names and ports that a host of a ServiceEntry stands for; empty where Istio would not look up a name."""
    spec = entry.spec
    if spec.location != "MESH_EXTERNAL" or not spec.resolution.startswith(_DNS):
        return []
    targets = [one.target_port or one.number for one in spec.ports if one.number == port]
    names = [one.address for one in spec.endpoints if one.address] or [host]
    return [(name, target) for name in names for target in targets]


def resolved(addresses: list[tuple[str, int]], policy: Mapping[str, Any]) -> Json:
    """The part of a cluster that replaces the processes of this machine."""
    endpoints = [
        {"endpoint": {"address": {"socket_address": {"address": name, "port_value": port}}}} for name, port in addresses
    ]
    tls = policy.get("tls") or {}
    socket = {"transport_socket": _tls(tls)} if tls.get("mode") in ("SIMPLE", "MUTUAL") else {}
    return {"type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED", "endpoints": endpoints, **socket}


def _tls(tls: Mapping[str, Any]) -> Json:
    """The TLS of a DestinationRule: the server's name, its certificate's names, and who has to have signed that."""
    context: Json = {"trusted_ca": {"filename": tls.get("caCertificates") or _authorities()}}
    if names := tls.get("subjectAltNames"):
        context["match_typed_subject_alt_names"] = [{"san_type": _DNS, "matcher": {"exact": name}} for name in names]
    common: Json = {} if tls.get("insecureSkipVerify") else {"validation_context": context}
    if tls.get("clientCertificate"):
        files = {"certificate_chain": tls["clientCertificate"], "private_key": tls.get("privateKey", "")}
        common["tls_certificates"] = [{name: {"filename": file} for name, file in files.items()}]
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(_TLS, common_tls_context=common, **({"sni": tls["sni"]} if tls.get("sni") else {})),
    }


def _authorities() -> str:
    """The certificate authorities of this machine; those of certifi where it has no file of them."""
    found = ssl.get_default_verify_paths().cafile
    return found if found and Path(found).is_file() else certifi.where()
