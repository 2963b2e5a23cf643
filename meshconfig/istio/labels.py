"""Labels and annotations by which graylane's own resources are known."""

from collections.abc import Mapping

MANAGED_BY = "app.kubernetes.io/managed-by"
OURS = "graylane"
# Labels of all that is made for a preview lane: Deployments, their Pods, and Jobs.
LANE, LANE_SERVICE = "graylane.dev/lane", "graylane.dev/lane-service"
REFUSES = "graylane.dev/refuses"  # a Service without Pods, so that proxies answer 503; the text says for whom


def is_ours(labels: Mapping[str, str]) -> bool:
    """Whether a resource with these labels is one that graylane makes."""
    return labels.get(MANAGED_BY) == OURS
