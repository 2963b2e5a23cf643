"""What the schemas of the cluster's API say beside those of the models: bounds, kinds of lists and maps, defaults.

The API server refuses a rule whose cost it cannot bound, and it computes that from the most items of each list and map
and from the longest text. Groups of 10,000 services, and of 1,000 services with 50 lanes, stay within.

Source: https://kubernetes.io/docs/reference/using-api/cel/ (Resource constraints).
"""

from collections.abc import Mapping
from typing import Any

Keywords = Mapping[tuple[str, str], Mapping[str, Any]]

_LABEL = {"maxLength": 63}
_INT32 = {"maximum": 2**31 - 1}
# Shares are relative to each other: those of two people are not merged one by one.
_SHARES = {"maxProperties": 100, "x-kubernetes-map-type": "atomic"}

# By model and field.
FIELDS: Keywords = {
    ("Admit", "lane"): _LABEL,
    ("Analysis", "metrics"): {"maxItems": 100, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    ("Autoscale", "min"): _INT32,
    ("Autoscale", "max"): _INT32,
    ("Autoscale", "cpu"): _INT32,
    ("CopiedTo", "version"): _LABEL,
    ("Entry", "admit"): {"maxItems": 200},
    ("Entry", "hosts"): {"maxItems": 200, "x-kubernetes-list-type": "set"},
    ("Entry", "routes"): {"maxItems": 1000},
    ("Entry", "split"): _SHARES,
    ("GroupSpec", "consumers"): {"maxProperties": 1000},
    ("GroupSpec", "entries"): {"maxItems": 500},
    ("GroupSpec", "lanes"): {"maxProperties": 1000},
    ("GroupSpec", "services"): {"maxProperties": 10_000},
    ("Lane", "versions"): {"maxProperties": 10_000},
    ("Limits", "images"): {"maxItems": 100, "x-kubernetes-list-type": "set"},
    ("PathRoute", "service"): _LABEL,
    ("PreviewSpec", "versions"): {"maxProperties": 1000},
    ("PreviewVersion", "env"): {"maxProperties": 200},
    ("RolloutSpec", "notify"): {"maxItems": 20},
    ("RolloutSpec", "services"): {"maxProperties": 1000},
    ("RolloutSpec", "steps"): {"maxItems": 1000},
    ("Rule", "weights"): _SHARES,
    ("ServiceSpec", "calls"): {"maxItems": 100},
    ("ServiceSpec", "default"): _LABEL,
    ("ServiceSpec", "rules"): {"maxItems": 100},
    ("ServiceSpec", "versions"): {"maxProperties": 80},
    ("ServiceSpec", "weights"): _SHARES,
    ("Sticky", "order"): {"maxItems": 2, "x-kubernetes-list-type": "set"},
    ("Tag", "header"): {"maxLength": 256},
}

# By model and field: of the items of its list, or of the values of its map.
ITEMS: Keywords = {
    ("ServiceSpec", "calls"): _LABEL,
}

# What the API server fills in. Only where a model means the same with and without it: `digest` leaves out `drift`, and
# no other default is filled into a LaneGroup, whose digest counts the fields that are given.
DEFAULTS = frozenset({("GroupSpec", "drift"), ("Metric", "failures"), ("RolloutSpec", "onFail"), ("SecretRef", "key")})
