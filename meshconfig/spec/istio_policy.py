"""The fields of Istio that a spec passes through (`policy` and `trafficPolicy`), checked by name and type.

Names and types are those of Istio 1.31's `HTTPRoute` and `TrafficPolicy` (networking.istio.io/v1). A policy cannot have
the fields that decide where requests go, because graylane writes them or has a field of its own for them: `match`,
`route`, `redirect`, `directResponse`, `delegate`, `name`, `rewrite`.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from meshconfig.spec.base import Items, PortNumber, Strict
from meshconfig.spec.duration import IstioDuration, IstioDurationOrZero

Status = Annotated[int, Field(ge=200, le=599)]
Percent = Annotated[int, Field(ge=0, le=100)]


class Percentage(Strict):
    """A percentage; `value` is 0 to 100 and may have decimals."""

    value: Annotated[float, Field(ge=0, le=100, strict=False)]


class StringMatch(Strict):
    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class PortSelector(Strict):
    number: PortNumber


class Destination(Strict):
    host: str
    subset: str | None = None
    port: PortSelector | None = None


class Retries(Strict):
    attempts: Annotated[int, Field(ge=0)] | None = None
    per_try_timeout: IstioDuration | None = None
    retry_on: str | None = None
    retry_remote_localities: bool | None = None
    retry_ignore_previous_hosts: bool | None = None
    backoff: IstioDuration | None = None


class Delay(Strict):
    fixed_delay: IstioDuration
    percentage: Percentage | None = None


class Abort(Strict):
    http_status: Status | None = None
    grpc_status: str | None = None
    percentage: Percentage | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "Abort":
        if (self.http_status is None) == (self.grpc_status is None):
            raise ValueError("takes one of httpStatus, grpcStatus")
        return self


class Fault(Strict):
    delay: Delay | None = None
    abort: Abort | None = None


class Mirror(Strict):
    destination: Destination
    percentage: Percentage | None = None


class CorsPolicy(Strict):
    allow_origins: Items[StringMatch] | None = None
    allow_methods: Items[str] | None = None
    allow_headers: Items[str] | None = None
    expose_headers: Items[str] | None = None
    max_age: IstioDuration | None = None
    allow_credentials: bool | None = None
    unmatched_preflights: Literal["UNSPECIFIED", "FORWARD", "IGNORE"] | None = None


class HeaderOperations(Strict):
    set: dict[str, str] | None = None
    add: dict[str, str] | None = None
    remove: Items[str] | None = None


class Headers(Strict):
    request: HeaderOperations | None = None
    response: HeaderOperations | None = None


class Policy(Strict):
    """Istio `HTTPRoute` fields that go into each route of the service."""

    timeout: IstioDuration | None = None
    retries: Retries | None = None
    fault: Fault | None = None
    mirror: Destination | None = None
    mirror_percentage: Percentage | None = None
    mirrors: Items[Mirror] | None = None
    cors_policy: CorsPolicy | None = None
    headers: Headers | None = None


class TcpKeepalive(Strict):
    probes: int | None = None
    time: IstioDuration | None = None
    interval: IstioDuration | None = None


class TcpSettings(Strict):
    max_connections: int | None = None
    connect_timeout: IstioDuration | None = None
    tcp_keepalive: TcpKeepalive | None = None
    max_connection_duration: IstioDuration | None = None
    idle_timeout: IstioDurationOrZero | None = None  # 0s: idle connections stay open


class Http2KeepAlive(Strict):
    interval: IstioDuration | None = None
    timeout: IstioDuration | None = None


class HttpSettings(Strict):
    http2_keep_alive: Annotated[Http2KeepAlive | None, Field(alias="http2KeepAlive")] = None
    http1_max_pending_requests: Annotated[int | None, Field(alias="http1MaxPendingRequests")] = None
    http2_max_requests: Annotated[int | None, Field(alias="http2MaxRequests")] = None
    max_requests_per_connection: int | None = None
    max_retries: int | None = None
    idle_timeout: IstioDuration | None = None
    h2_upgrade_policy: Annotated[
        Literal["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"] | None, Field(alias="h2UpgradePolicy")
    ] = None
    use_client_protocol: bool | None = None
    max_concurrent_streams: int | None = None


class ConnectionPool(Strict):
    tcp: TcpSettings | None = None
    http: HttpSettings | None = None


class CookieAttribute(Strict):
    name: str
    value: str | None = None


class HttpCookie(Strict):
    name: str
    attributes: Items[CookieAttribute] | None = None
    path: str | None = None
    ttl: IstioDurationOrZero | None = None


class RingHash(Strict):
    minimum_ring_size: int | None = None


class Maglev(Strict):
    table_size: int | None = None


class ConsistentHash(Strict):
    http_header_name: str | None = None
    http_cookie: HttpCookie | None = None
    use_source_ip: bool | None = None
    http_query_parameter_name: str | None = None
    ring_hash: RingHash | None = None
    maglev: Maglev | None = None
    minimum_ring_size: int | None = None


class Distribute(Strict):
    from_: Annotated[str | None, Field(alias="from")] = None
    to: dict[str, int] | None = None


class Failover(Strict):
    from_: Annotated[str | None, Field(alias="from")] = None
    to: str | None = None


class LocalityLbSetting(Strict):
    distribute: Items[Distribute] | None = None
    failover: Items[Failover] | None = None
    failover_priority: Items[str] | None = None
    enabled: bool | None = None


class ZoneAwareLbSetting(Strict):
    enabled: bool | None = None
    failover: Items[Failover] | None = None
    failover_priority: Items[str] | None = None
    min_cluster_size: int | None = None


class Warmup(Strict):
    duration: IstioDuration
    minimum_percent: float | None = None
    aggression: float | None = None


class LoadBalancer(Strict):
    simple: Literal["UNSPECIFIED", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN"] | None = None
    consistent_hash: ConsistentHash | None = None
    locality_lb_setting: LocalityLbSetting | None = None
    zone_aware_lb_setting: ZoneAwareLbSetting | None = None
    warmup_duration_secs: IstioDuration | None = None
    warmup: Warmup | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "LoadBalancer":
        if self.simple is not None and self.consistent_hash is not None:
            raise ValueError("takes one of simple, consistentHash")
        return self


class OutlierDetection(Strict):
    consecutive_errors: int | None = None
    split_external_local_origin_errors: bool | None = None
    consecutive_local_origin_failures: int | None = None
    consecutive_gateway_errors: int | None = None
    consecutive_5xx_errors: Annotated[int | None, Field(alias="consecutive5xxErrors")] = None
    interval: IstioDuration | None = None
    base_ejection_time: IstioDuration | None = None
    max_ejection_percent: Percent | None = None
    min_health_percent: Percent | None = None
    outlier_detection_http_error_codes: Items[int] | None = None


class ClientTls(Strict):
    mode: Literal["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"]
    client_certificate: str | None = None
    private_key: str | None = None
    ca_certificates: str | None = None
    credential_name: str | None = None
    subject_alt_names: Items[str] | None = None
    sni: str | None = None
    insecure_skip_verify: bool | None = None
    ca_crl: str | None = None


class PortTrafficPolicy(Strict):
    port: PortSelector
    load_balancer: LoadBalancer | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTls | None = None


class Tunnel(Strict):
    protocol: str | None = None
    target_host: str
    target_port: PortNumber


class ProxyProtocol(Strict):
    version: Literal["V1", "V2"] | None = None


class RetryBudget(Strict):
    percent: float | None = None
    budget_interval: IstioDuration | None = None
    min_retry_concurrency: int | None = None


class TrafficPolicy(Strict):
    """Istio `TrafficPolicy`, put into the service's DestinationRule."""

    load_balancer: LoadBalancer | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTls | None = None
    port_level_settings: Items[PortTrafficPolicy] | None = None
    tunnel: Tunnel | None = None
    proxy_protocol: ProxyProtocol | None = None
    retry_budget: RetryBudget | None = None
