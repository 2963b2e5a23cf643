"""An Envoy listener: it reads its routes from a file, and logs each request as a line of JSON for `local.trace`."""

from collections.abc import Sequence

from meshconfig.local.config import Json, Listener
from meshconfig.local.policies import CORS, FAULT
from meshconfig.local.values import typed

LOCALHOST = "127.0.0.1"
REQUEST_ID = "x-request-id"
_METADATA = "graylane"
# The id of a request that enters at a service's own address. It marks the request's first hop in the log.
_FIRST_HOP = "%START_TIME(%s%9f)%-%CONNECTION_ID%"


def listener(one: Listener, routes: str, tags: Sequence[str], port: int = 0) -> Json:
    """A listener in Envoy's form.

    Parameters:
        routes: the file of its route configuration.
        tags: headers whose values on arrival are logged.
        port: the port to listen on; 0 for any free port.
    """
    manager = typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=one.kind,
        rds={"route_config_name": one.name, "config_source": files(routes)},
        http_filters=_filters(tags),
        access_log=[_access_log(one, tags)],
        # A gateway creates the request id. Between services, the caller passes it on.
        use_remote_address=one.kind == "gateway",
        generate_request_id=one.kind == "gateway",
        normalize_path=True,
        stream_idle_timeout="0s",
        http_protocol_options={"accept_http_10": True, "default_host_for_http_10": LOCALHOST},
        upgrade_configs=[{"upgrade_type": "websocket"}],
    )
    return {
        "name": one.name,
        "address": {"socket_address": {"address": LOCALHOST, "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def with_first_hop_id(configuration: Json) -> Json:
    """A mesh listener's route configuration that sets an id on requests without one."""
    value = {"header": {"key": REQUEST_ID, "value": _FIRST_HOP}, "append_action": "ADD_IF_ABSENT"}
    return {**configuration, "request_headers_to_add": [value]}


def with_local_hosts(configuration: Json, hosts: Sequence[str]) -> Json:
    """A gateway's route configuration that takes requests to this machine itself for its first host.

    `curl http://127.0.0.1:PORT/`, a browser and a client of HTTP/1.0 name no host of the spec.

    Parameters:
        hosts: the gateway's hosts, in the order of the spec.
    """
    found = {one["name"]: one for one in configuration["virtual_hosts"]}
    first = next((host for host in hosts if host in found), None)
    if first is None or "*" in found:
        return configuration
    local = [name for name in (LOCALHOST, "localhost") if name not in found]
    found[first] = {**found[first], "domains": [*found[first]["domains"], *local]}
    return {**configuration, "virtual_hosts": list(found.values())}


def files(path: str) -> Json:
    """The config source of one file. Envoy reads it again when another file is renamed to it."""
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}


def _filters(tags: Sequence[str]) -> list[Json]:
    rules = [
        {"header": tag, "on_header_present": {"metadata_namespace": _METADATA, "key": tag, "type": "STRING"}}
        for tag in tags
    ]
    keep_tag = typed("extensions.filters.http.header_to_metadata.v3.Config", request_rules=rules)
    found = [(CORS, typed("extensions.filters.http.cors.v3.Cors"))]
    found += [(FAULT, typed("extensions.filters.http.fault.v3.HTTPFault"))]
    found += [("envoy.filters.http.header_to_metadata", keep_tag)] if tags else []
    found += [("envoy.filters.http.router", typed("extensions.filters.http.router.v3.Router"))]
    return [{"name": name, "typed_config": config} for name, config in found]


def _access_log(one: Listener, tags: Sequence[str]) -> Json:
    line = {
        "id": f"%REQ({REQUEST_ID})%",
        "self": _FIRST_HOP,
        "listener": one.name,
        "host": "%REQ(:AUTHORITY)%",
        "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "cluster": "%UPSTREAM_CLUSTER_RAW%",
        "upstream": "%UPSTREAM_HOST%",
        "start": "%START_TIME(%s.%6f)%",
        "ms": "%DURATION%",
        "tags": {tag: f"%DYNAMIC_METADATA({_METADATA}:{tag})%" for tag in tags},
        "sent": {tag: f"%REQ({tag})%" for tag in tags},  # as its route has set them
    }
    log = typed("extensions.access_loggers.stream.v3.StdoutAccessLog", log_format={"json_format": line})
    return {"name": "stdout", "typed_config": log}
