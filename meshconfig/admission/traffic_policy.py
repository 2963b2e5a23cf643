"""Traffic policies of DestinationRules, and what Sidecars share with them, as Istio's webhook judges them.

Source: istio pkg/config/validation, validation.go (validateTrafficPolicy) and agent/validation.go.
"""

from collections.abc import Sequence

from meshconfig.admission import formats
from meshconfig.admission.load_balancer import check_load_balancer
from meshconfig.admission.parts import Part, check_durations, items, part
from meshconfig.admission.refusals import At, Refusals
from meshconfig.admission.words import listed

_POLICY = ("outlierDetection", "connectionPool", "loadBalancer", "tls")
_FIELDS = (*_POLICY, "portLevelSettings", "tunnel", "proxyProtocol", "retryBudget")
_CONFIGMAP = "configmap://"


def check_traffic_policy(policy: Part | None, at: At, out: Refusals, *, namespace: str) -> None:
    if policy is None:
        return
    if all(policy.get(name) is None or policy[name] == [] for name in _FIELDS):
        out.missing(at, f"the policy is empty: give one of {listed(_FIELDS)}, or delete it")
        return
    if policy.get("tunnel") is not None and policy.get("proxyProtocol") is not None:
        out.contradiction((at, "tunnel"), "takes tunnel or proxyProtocol, not both")
        return
    _check_common(policy, at, out, namespace)
    for number, one in enumerate(items(policy, "portLevelSettings")):
        _check_port_policy(one, ((at, "portLevelSettings"), number), out, namespace)
    if (tunnel := policy.get("tunnel")) is not None:
        _check_tunnel(tunnel, (at, "tunnel"), out)
    if (interval := part(policy, "retryBudget").get("budgetInterval")) is not None:
        out.bad(((at, "retryBudget"), "budgetInterval"), formats.any_duration(interval))


def _check_common(policy: Part, at: At, out: Refusals, namespace: str) -> None:
    if (outlier := policy.get("outlierDetection")) is not None:
        _check_outlier(outlier, (at, "outlierDetection"), out)
    check_connection_pool(policy.get("connectionPool"), (at, "connectionPool"), out)
    if (balancer := policy.get("loadBalancer")) is not None:
        check_load_balancer(balancer, (at, "loadBalancer"), out)
    if (tls := policy.get("tls")) is not None:
        _check_client_tls(tls, (at, "tls"), out, namespace)


def _check_port_policy(policy: Part, at: At, out: Refusals, namespace: str) -> None:
    if policy.get("port") is None:
        out.missing(at, "port is missing: port: {number: 80}")
    if all(policy.get(name) is None for name in _POLICY):
        out.missing(at, f"the policy of this port is empty: give one of {listed(_POLICY)}")
    _check_common(policy, at, out, namespace)


def _check_outlier(outlier: Part, at: At, out: Refusals) -> None:
    check_durations(outlier, ("baseEjectionTime", "interval"), at, out)
    if outlier.get("consecutiveLocalOriginFailures") and not outlier.get("splitExternalLocalOriginErrors"):
        place = (at, "consecutiveLocalOriginFailures")
        out.contradiction(place, "needs splitExternalLocalOriginErrors: true beside it")
    for name in ("maxEjectionPercent", "minHealthPercent"):
        if not 0 <= (share := outlier.get(name) or 0) <= 100:
            out.bad((at, name), f"takes 0 to 100, not {share}")


def check_connection_pool(pool: Part | None, at: At, out: Refusals) -> None:
    if pool is None:
        return
    http, tcp = pool.get("http"), pool.get("tcp")
    if http is None and tcp is None:
        out.missing(at, "the pool is empty: give http or tcp, or delete it")
    if http is not None:
        _check_http_pool(http, (at, "http"), out)
    if tcp is not None:
        here = (at, "tcp")
        _not_negative(tcp, ("maxConnections",), here, out)
        check_durations(tcp, ("connectTimeout", "maxConnectionDuration"), here, out)
        check_durations(tcp.get("tcpKeepalive") or {}, ("time", "interval"), (here, "tcpKeepalive"), out)
        _check_idle_timeout(tcp.get("idleTimeout"), (here, "idleTimeout"), out)


def _check_http_pool(http: Part, at: At, out: Refusals) -> None:
    counts = ("http1MaxPendingRequests", "http2MaxRequests", "maxRequestsPerConnection", "maxRetries")
    _not_negative(http, (*counts, "maxConcurrentStreams"), at, out)
    check_durations(http, ("idleTimeout",), at, out)
    if http.get("h2UpgradePolicy") == "UPGRADE" and http.get("useClientProtocol"):
        out.contradiction((at, "useClientProtocol"), "the client's protocol is not kept where UPGRADE changes it")
    if (keepalive := http.get("http2KeepAlive")) is not None:
        here = (at, "http2KeepAlive")
        for name in ("interval", "timeout"):
            if keepalive.get(name) is None:
                out.missing(here, f"{name} is missing: {name}: 10s")
        check_durations(keepalive, ("interval", "timeout"), here, out)


def _check_idle_timeout(text: str | None, at: At, out: Refusals) -> None:
    """0s, and whatever Go rounds down to 0 ms, leaves idle connections open."""
    if text is None:
        return
    found = formats.parsed_duration(text)
    if found is None or int(found * 1000):
        out.bad(at, formats.duration(text) or formats.whole_milliseconds(text))


def _not_negative(value: Part, names: Sequence[str], at: At, out: Refusals) -> None:
    for name in names:
        if (number := value.get(name) or 0) < 0:
            out.bad((at, name), f"takes 0 or more, not {number}")


def _check_tunnel(tunnel: Part, at: At, out: Refusals) -> None:
    protocol, host = tunnel.get("protocol"), tunnel.get("targetHost")
    if protocol and protocol not in ("CONNECT", "POST"):
        out.bad((at, "protocol"), f"takes CONNECT or POST, not {protocol!r}")
    if host is not None and not formats.is_ip(host):
        out.bad((at, "targetHost"), formats.fqdn(host))
    if (port := tunnel.get("targetPort")) is not None:
        out.bad((at, "targetPort"), formats.port(port))


def _check_client_tls(tls: Part, at: At, out: Refusals, namespace: str) -> None:
    mode, credential = tls.get("mode") or "DISABLE", tls.get("credentialName") or ""
    if credential.startswith(_CONFIGMAP):
        _check_config_map(credential, (at, "credentialName"), out, namespace)
    if tls.get("insecureSkipVerify"):
        _check_unverified(tls, mode, at, out)
    if credential and mode in ("SIMPLE", "MUTUAL"):
        for name in ("clientCertificate", "caCertificates", "privateKey", "caCrl"):
            if tls.get(name):
                out.contradiction((at, name), "credentialName brings the certificates: delete one of the two")
    elif mode == "MUTUAL":
        lacks = [name for name in ("clientCertificate", "privateKey") if not tls.get(name)]
        if lacks:
            out.missing(at, f"{listed(lacks, 'and')} is missing beside MUTUAL, or credentialName for both")


def _check_unverified(tls: Part, mode: str, at: At, out: Refusals) -> None:
    verifying = {"SIMPLE": ("caCertificates", "credentialName"), "MUTUAL": ("caCertificates",)}.get(mode)
    given = [name for name in verifying or () if tls.get(name)]
    given += ["subjectAltNames"] if verifying and items(tls, "subjectAltNames") else []
    for name in given:
        out.contradiction((at, name), "insecureSkipVerify: true verifies nothing: delete one of the two")


def _check_config_map(credential: str, at: At, out: Refusals, namespace: str) -> None:
    where, slash, name = credential.removeprefix(_CONFIGMAP).partition("/")
    if not slash or not where or not name.partition("/")[0] or where != namespace:
        out.bad(at, f"{credential!r}: write configmap://{namespace}/NAME, with this rule's own namespace")
