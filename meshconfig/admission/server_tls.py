"""`tls` of a server, in Gateways and Sidecars, as Istio's webhook judges it.

Source: istio pkg/config/validation, validation.go (validateTLSOptions).
"""

from meshconfig.admission.parts import Part, items
from meshconfig.admission.refusals import At, Refusals
from meshconfig.admission.words import listed

MODE = "PASSTHROUGH"  # without `mode`
PASSTHROUGHS = frozenset({"PASSTHROUGH", "AUTO_PASSTHROUGH"})
_WITH_CLIENTS = frozenset({"MUTUAL", "OPTIONAL_MUTUAL"})
_WITH_CERTIFICATE = _WITH_CLIENTS | {"SIMPLE"}
_CERTIFICATES = (
    "serverCertificate",
    "privateKey",
    "caCertificates",
    "tlsCertificates",
    "credentialName",
    "credentialNames",
)


def check_server_tls(tls: Part, at: At, out: Refusals) -> None:
    mode = tls.get("mode") or MODE
    if mode == "ISTIO_MUTUAL":
        for name in _CERTIFICATES:
            if tls.get(name):
                out.contradiction(
                    (at, name), "ISTIO_MUTUAL brings its own certificates: delete this, or change the mode"
                )
        return
    sources = _sources(tls)
    if len(sources) > 1:
        out.contradiction(at, f"takes its certificate from one of {listed(sources, 'and')}")
    if mode in _WITH_CERTIFICATE:
        if tls.get("credentialName") or items(tls, "credentialNames"):
            return
        _check_certificate(tls, mode, at, out)
    if tls.get("caCrl"):
        if tls.get("credentialName"):
            out.contradiction((at, "caCrl"), "beside credentialName it belongs into that Secret: delete it here")
        if mode == "SIMPLE":
            out.contradiction((at, "caCrl"), "SIMPLE asks clients for no certificate: delete it, or write mode MUTUAL")


def _sources(tls: Part) -> list[str]:
    pair = ["serverCertificate"] if tls.get("serverCertificate") and tls.get("privateKey") else []
    return pair + [name for name in ("credentialName", "credentialNames", "tlsCertificates") if tls.get(name)]


def _check_certificate(tls: Part, mode: str, at: At, out: Refusals) -> None:
    if mode in _WITH_CLIENTS and not tls.get("caCertificates"):
        out.missing(at, f"caCertificates is missing beside {mode}, or credentialName for all of them")
    places: list[tuple[At, Part]] = [
        (((at, "tlsCertificates"), number), one) for number, one in enumerate(items(tls, "tlsCertificates"))
    ]
    for place, one in places or [(at, tls)]:
        lacks = [name for name in ("serverCertificate", "privateKey") if not one.get(name)]
        if lacks:
            out.missing(place, f"{listed(lacks, 'and')} is missing beside {mode}, or credentialName for both")
