"""The right answers on Telemetries."""

from admission_case import BAD, CLASH, MISSING, TYPE, UNKNOWN, Case, cases

TELEMETRIES: list[Case] = [
    *cases(
        "Telemetry",
        "{…}",
        ("accessLogging: [{providers: [{name: otel}], filter: {expression: response.code >= 400}}]", {}),
        ("accessLogging: [{providers: [otel]}]", {"spec.accessLogging[0].providers[0]": TYPE}),
        ("accessLogging: [{providers: [{}]}]", {"spec.accessLogging[0].providers[0]": MISSING}),
        ("accessLogging: [{providers: [{name: ''}]}]", {"spec.accessLogging[0].providers[0].name": MISSING}),
        ("accesslogging: []", {"spec.accesslogging": UNKNOWN}),
        ("selector: {matchLabels: {app: cat}}, targetRefs: [{kind: Service, name: cat}]", {"spec": CLASH}),
        ("selector: {matchLabels: {app: '*'}}", {"spec.selector.matchLabels.app": BAD}),
        ("targetRef: {kind: Service, name: cat}", {}),
        ("targetRef: {kind: Service, group: core, name: cat, namespace: demo}", {"spec.targetRef.namespace": BAD}),
        ("targetRefs: [{kind: Pod, name: cat}]", {"spec.targetRefs[0]": BAD}),
        (
            "targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: a}, {kind: 7a, name: b}]",
            {"spec.targetRefs[1].kind": BAD},
        ),
        ("targetRefs: [{kind: Service, group: A_B, name: a}]", {"spec.targetRefs[0].group": BAD}),
        ("metrics: [{reportingInterval: 5s}]", {}),
        ("metrics: [{reportingInterval: 5}]", {"spec.metrics[0].reportingInterval": TYPE}),
        ("tracing: [{randomSamplingPercentage: 101}]", {"spec.tracing[0].randomSamplingPercentage": BAD}),
        (
            "tracing: [{customTags: {lane: {header: {name: env}, literal: {value: a}}}}]",
            {"spec.tracing[0].customTags.lane": CLASH},
        ),
        ("tracing: [{customTags: {lane: {formatter: {value: '%REQ(ENV)%'}}}}]", {}),
    ),
    *cases(
        "Telemetry",
        "{metrics: [{providers: [{name: prometheus}], overrides: [{…}]}]}",
        ("match: {metric: REQUEST_COUNT}, tagOverrides: {lane: {value: request.method}}", {}),
        ("match: {metric: REQUESTS}", {"spec.metrics[0].overrides[0].match.metric": BAD}),
        (
            "match: {metric: REQUEST_COUNT, customMetric: a}",
            {"spec.metrics[0].overrides[0].match": CLASH},
        ),
        ("tagOverrides: {lane: {}}", {"spec.metrics[0].overrides[0].tagOverrides.lane": MISSING}),
        ("tagOverrides: {lane: {operation: UPSERT}}", {"spec.metrics[0].overrides[0].tagOverrides.lane": MISSING}),
        ("tagOverrides: {lane: {operation: REMOVE}}", {}),
        (
            "tagOverrides: {lane: {operation: REMOVE, value: a}}",
            {"spec.metrics[0].overrides[0].tagOverrides.lane.value": CLASH},
        ),
    ),
]
