"""The PromQL of a metric: the user's query or a preset, with its placeholders filled in.

A preset gives the share of answers without a server error, from 0 to 1, or seconds; both for the new version alone.
docs/rollouts.md says what each preset needs. The names of Envoy's own metrics are those of Envoy 1.40.
"""

import re
from collections.abc import Mapping

from meshconfig.duration import written
from meshconfig.spec.group import LaneGroup
from meshconfig.spec.rollout import PLACEHOLDER, Metric, Rollout

LEAST_INTERVAL = 60.0
OF_A_SERVICE = {"version", "service", "workload", "host"}


def _sum(metric: str, labels: str, join: str = "", by: str = "") -> str:
    return f"sum{by}(rate({metric}{{{labels}}}[{{{{interval}}}}]){join})"


def _share(good: str, all_: str) -> str:
    """Where every answer is an error, good answers have no series. Their share is 0 then, and not "no data"."""
    return f"({good} or vector(0)) / ({all_})"


def _p99(buckets: str, unit: str = "") -> str:
    return f"histogram_quantile(0.99, {buckets}){unit}"


_LE = " by (le) "
_MS = " / 1000"

_ISTIO = 'reporter="source",destination_workload_namespace="{{namespace}}",destination_workload="{{workload}}"'
_ISTIO_GOOD = _ISTIO + ',response_code!~"5.."'

_OTEL = "http_server_request_duration_seconds"
_OF_WORKLOAD = (
    " * on (job, instance) group_left () max by (job, instance) "
    '(target_info{k8s_namespace_name="{{namespace}}",k8s_deployment_name="{{workload}}"})'
)

# First with the tags that Istio configures in its proxies. Then with Envoy's own: they end the cluster's name at its
# first dot, and leave the rest in the name of the metric.
_TAGGED = 'cluster_name=~"outbound\\\\|[0-9]+\\\\|{{version}}\\\\|{{host}};?"'
_PLAIN = 'envoy_cluster_name=~"outbound\\\\|[0-9]+\\\\|{{version}}\\\\|{{first}}"'


def _plain_name(metric: str) -> str:
    return f'__name__=~"envoy_cluster_({{{{rest}}}}_+)?{metric}",{_PLAIN}'


def _envoy(classes: str, plain: str) -> str:
    tagged = _sum("envoy_cluster_upstream_rq", f'response_code_class=~"{classes}",{_TAGGED}')
    return tagged + " or " + _sum("", _plain_name("upstream_rq_xx") + plain)


PRESETS = {
    "istio-success": _share(_sum("istio_requests_total", _ISTIO_GOOD), _sum("istio_requests_total", _ISTIO)),
    "istio-p99": _p99(_sum("istio_request_duration_milliseconds_bucket", _ISTIO, by=_LE), _MS),
    "otel-success": _share(
        _sum(f"{_OTEL}_count", 'http_response_status_code!~"5.."', _OF_WORKLOAD),
        _sum(f"{_OTEL}_count", "", _OF_WORKLOAD),
    ),
    "otel-p99": _p99(_sum(f"{_OTEL}_bucket", "", _OF_WORKLOAD, _LE)),
    "envoy-success": _share(_envoy("[1-4]xx", ',envoy_response_code_class!="5"'), _envoy(".xx", "")),
    "envoy-p99": _p99(
        _sum("envoy_cluster_upstream_rq_time_bucket", _TAGGED, by=_LE)
        + " or "
        + _sum("", _plain_name("upstream_rq_time_bucket"), by=_LE),
        _MS,
    ),
}


def text(metric: Metric) -> str:
    """The query as a template."""
    return PRESETS[metric.preset] if metric.preset else metric.query or ""


def per_service(metric: Metric) -> bool:
    """Whether each service of a rollout has a query of its own."""
    return bool(OF_A_SERVICE & set(PLACEHOLDER.findall(text(metric))))


def query(metric: Metric, rollout: Rollout, group: LaneGroup, service: str = "") -> str:
    """The query to send to Prometheus.

    Parameters:
        service: of the rollout; empty where the query is the same for all of them.
    """
    return filled(metric, values(rollout, group, service))


def values(rollout: Rollout, group: LaneGroup, service: str = "") -> dict[str, str]:
    """What the placeholders stand for, but for the interval. It takes a few bytes, and the group up to megabytes."""
    of_service = _of_service(rollout, group, service) if service else {}
    return {"namespace": rollout.metadata.namespace, **of_service}


def filled(metric: Metric, values: Mapping[str, str]) -> str:
    """The query of a metric with these `values` in it."""
    interval = written(metric.interval or max(metric.every, LEAST_INTERVAL))
    every = {**values, "interval": interval}
    return PLACEHOLDER.sub(lambda found: every[found[1]], text(metric))


def _of_service(rollout: Rollout, group: LaneGroup, service: str) -> dict[str, str]:
    here = group.service(service)
    version = rollout.spec.services[service].to
    first, _, rest = here.host.partition(".")
    return {
        "service": service,
        "version": version,
        "workload": here.workload(version),
        "host": here.host,
        "namespace": here.namespace,
        "first": first,
        "rest": re.sub("[^A-Za-z0-9_]", "_", rest),
    }
