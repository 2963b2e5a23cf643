"""From a spec to the model: which request goes where. Pure; the rules are in the docs, "What it compiles to"."""

from meshconfig.compile.conditions import NotExpressibleError
from meshconfig.compile.entries import entry
from meshconfig.compile.names import entry_names, service_namespace, service_resource
from meshconfig.compile.services import Plan, autoscalers, istio_fields, mesh_routes, subsets
from meshconfig.model import Model, Service
from meshconfig.spec import LaneGroup

__all__ = ["NotExpressibleError", "compile_group"]


def compile_group(group: LaneGroup) -> Model:
    """One group's model.

    Parameters:
        group: a spec whose names are known to meet (`meshconfig.references.check`).

    Raises:
        NotExpressibleError: a combination of matches for which Istio has no form.
    """
    plans = {name: Plan(name, spec, group) for name, spec in group.spec.services.items()}
    return Model(
        group=group.metadata.name,
        namespace=group.metadata.namespace,
        tag=group.spec.tag.header,
        baseline=group.spec.tag.default,
        services=tuple(_service(plan) for plan in plans.values()),
        entries=tuple(
            entry(group, spec, name, plans) for spec, name in zip(group.spec.entries, entry_names(group), strict=True)
        ),
    )


def _service(plan: Plan) -> Service:
    return Service(
        name=plan.name,
        resource=service_resource(plan.host),
        namespace=service_namespace(plan.host, plan.group.metadata.namespace),
        host=plan.host,
        port=plan.spec.port,
        subsets=subsets(plan),
        routes=mesh_routes(plan),
        calls=plan.spec.calls,
        traffic_policy=istio_fields(plan.spec.traffic_policy),
        autoscalers=autoscalers(plan),
    )
