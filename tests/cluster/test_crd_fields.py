"""What this package knows of Istio's fields, held against the CRDs of the cluster."""

import json

import pytest
from crd_fields import Schema, spec_of, unknown
from mesh_cluster import kubectl

from meshconfig.istio import ISTIO_GROUP, View, types
from meshconfig.spec.istio_policy import Policy, TrafficPolicy

pytestmark = pytest.mark.cluster

READ: dict[str, type[View]] = {
    "virtualservices": types.VirtualServiceSpec,
    "destinationrules": types.DestinationRuleSpec,
    "gateways": types.GatewaySpec,
    "serviceentries": types.ServiceEntrySpec,
}


def schema(plural: str) -> Schema:
    return spec_of(json.loads(kubectl("get", "crd", f"{plural}.{ISTIO_GROUP}", "-o", "json").stdout))


@pytest.mark.parametrize("plural", READ)
def test_what_is_read_of_a_resource_is_a_field_of_istios(plural: str) -> None:
    assert list(unknown(READ[plural], schema(plural))) == []


def test_what_a_spec_may_pass_through_is_a_field_of_istios() -> None:
    route = schema("virtualservices")["properties"]["http"]["items"]
    assert list(unknown(Policy, route, "policy")) == []
    rule = schema("destinationrules")["properties"]["trafficPolicy"]
    assert list(unknown(TrafficPolicy, rule, "trafficPolicy")) == []
