"""Translates Istio's header operations to Envoy's. Source: Istio, pilot route.go, TranslateHeadersOperations."""

from collections.abc import Mapping

from meshconfig.istio import HeaderOperations, Headers
from meshconfig.istio.destinations import is_internal
from meshconfig.local.config import Json

_SET, _ADD = "OVERWRITE_IF_EXISTS_OR_ADD", "APPEND_IF_EXISTS_OR_ADD"


def operations(*levels: Headers) -> Json:
    """Envoy's header fields of a route or of one weighted cluster. Later levels are applied after earlier ones.

    Envoy removes before it sets, at each of its own levels.
    """
    fields: Json = {
        "request_headers_to_add": [option for one in levels for option in _added(one.request)],
        "request_headers_to_remove": [name for one in levels for name in _removed(one.request)],
        "response_headers_to_add": [option for one in levels for option in _added(one.response)],
        "response_headers_to_remove": [name for one in levels for name in _removed(one.response)],
    }
    return {name: value for name, value in fields.items() if value}


def _added(ops: HeaderOperations) -> list[Json]:
    return [*_options(ops.set, _SET), *_options(ops.add, _ADD)]


def _options(headers: Mapping[str, str], action: str) -> list[Json]:
    return [
        {"header": {"key": name, "value": value}, "append_action": action}
        for name, value in sorted(headers.items())
        if not is_internal(name)
    ]


def _removed(ops: HeaderOperations) -> list[str]:
    return [name for name in ops.remove if not is_internal(name)]
