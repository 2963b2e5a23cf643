"""DestinationRules, as Istio's webhook judges them.

Source: istio pkg/config/validation, validation.go (ValidateDestinationRule).
"""

from collections.abc import Sequence

from meshconfig.admission import formats
from meshconfig.admission.parts import Part, check_export_to, check_labels, check_subset_name, items
from meshconfig.admission.refusals import At, Kind, Refusals
from meshconfig.admission.traffic_policy import check_traffic_policy


def check_destination_rule(spec: Part, at: At, out: Refusals, *, namespace: str) -> None:
    if (host := spec.get("host")) is not None:
        out.bad((at, "host"), formats.wildcard_domain(host))
    check_traffic_policy(spec.get("trafficPolicy"), (at, "trafficPolicy"), out, namespace=namespace)
    names: dict[str, int] = {}
    for number, subset in enumerate(items(spec, "subsets")):
        here, name = ((at, "subsets"), number), subset.get("name")
        if name is not None:
            check_subset_name(name, (here, "name"), out)
            if (earlier := names.setdefault(name, number)) != number:
                out.add(Kind.SUBSET_TWICE, (here, "name"), f"subsets[{earlier}] is called {name} already")
        check_labels(subset.get("labels"), (here, "labels"), out)
        check_traffic_policy(subset.get("trafficPolicy"), (here, "trafficPolicy"), out, namespace=namespace)
    exported = items(spec, "exportTo")
    check_export_to(exported, namespace, (at, "exportTo"), out)
    if spec.get("workloadSelector") is not None:
        _check_selected_export(exported, namespace, (at, "exportTo"), out)


def _check_selected_export(names: Sequence[str], namespace: str, at: At, out: Refusals) -> None:
    """A rule for chosen workloads is one of its own namespace."""
    given = {namespace if name == "." else name for name in names}
    if given - {namespace}:
        out.contradiction(at, "a rule with a workloadSelector is for its own namespace: write [.] or delete exportTo")
