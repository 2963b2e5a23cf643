"""The manifests of graylane's accounts are those that its table of rights renders to; `make golden` rewrites them."""

import os
from pathlib import Path

import pytest
import yaml

from meshconfig.backend.kinds import KINDS, OWNED, PUSHED
from meshconfig.cluster.paths import collection
from meshconfig.cluster.rights import (
    FOR_GATEWAY_API,
    NAMES,
    OUTSIDE,
    RIGHTS,
    account,
    for_cluster,
    for_gateway_api,
    for_helm,
    for_istiod,
    for_root,
)

K8S = Path(__file__).parents[3] / "k8s"
MANIFESTS = {
    "rbac/graylane.yaml": lambda: account("graylane"),
    "rbac/gateway-api/routes.yaml": lambda: for_gateway_api("graylane"),
    "objects/account.yaml": lambda: account("graylane-objects"),
    "previews/account.yaml": lambda: account("graylane-previews"),
    "console/viewer/account.yaml": lambda: account("graylane-viewer"),
    "rbac/barrier/istiod.yaml": lambda: for_istiod("graylane", "graylane-barrier"),
    "controller/account.yaml": lambda: account("graylane-controller"),
    "controller/barrier/istiod.yaml": lambda: for_istiod("graylane-controller", "graylane-controller-barrier"),
    "controller/gateway-api/routes.yaml": lambda: for_gateway_api("graylane-controller"),
    "explain/account.yaml": lambda: account("graylane-explain"),
    "explain/root.yaml": lambda: for_root("graylane-explain"),
    "explain/everywhere/cluster.yaml": lambda: for_cluster("graylane-explain"),
}


CHART = {"chart/templates/_rules.tpl": for_helm}


@pytest.mark.parametrize("name", [*MANIFESTS, *CHART])
def test_a_manifest_is_current_with_the_rights_golden(name):
    text = {**MANIFESTS, **CHART}[name]()
    if os.environ.get("GRAYLANE_GOLDEN") == "rewrite":
        (K8S / name).parent.mkdir(parents=True, exist_ok=True)
        (K8S / name).write_text(text)
    assert (K8S / name).read_text() == text


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_grants_what_the_table_says(name):
    documents = list(yaml.safe_load_all(MANIFESTS[name]()))
    (role,) = [one for one in documents if one["kind"] in ("Role", "ClusterRole")]
    (binding,) = [one for one in documents if one["kind"].endswith("RoleBinding")]
    assert binding["kind"] == f"{role['kind']}Binding"
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["roleRef"]["kind"] == role["kind"]
    assert binding["metadata"].get("namespace") == role["metadata"].get("namespace")
    assert all(rule["verbs"] and rule["resources"] and "*" not in rule["verbs"] for rule in role["rules"])


def test_the_controller_may_create_and_delete_no_group():
    verbs = {verb for right in RIGHTS["graylane-controller"] if "LaneGroup" in right.kinds for verb in right.verbs}
    assert verbs == {"get", "list", "watch", "patch"}


def test_whoever_changes_objects_may_write_nothing_else():
    writing = {kind for right in RIGHTS["graylane-objects"] if set(right.verbs) - {"list"} for kind in right.kinds}
    assert writing == {"LaneGroup"}


def test_whoever_makes_preview_lanes_may_write_nothing_else():
    writing = {kind for right in RIGHTS["graylane-previews"] if "patch" in right.verbs for kind in right.kinds}
    assert writing == {"Lane"}


def test_who_looks_at_the_console_may_write_nothing_and_read_no_secret():
    rights = RIGHTS["graylane-viewer"]
    assert {verb for right in rights for verb in right.verbs} == {"get", "list"}
    assert "Secret" not in {kind for right in rights for kind in right.kinds}


def test_who_looks_at_the_console_sees_groups_of_both_backends():
    listed = {kind for right in RIGHTS["graylane-viewer"] if "list" in right.verbs for kind in right.kinds}
    assert listed >= {*NAMES, *OUTSIDE, *FOR_GATEWAY_API}


def test_whoever_explains_only_lists():
    assert {verb for right in RIGHTS["graylane-explain"] for verb in right.verbs} == {"list"}
    assert "Secret" not in {kind for right in RIGHTS["graylane-explain"] for kind in right.kinds}


def test_each_kind_has_a_path_and_a_name_that_kubectl_takes_for_no_other():
    assert collection("Gateway", "demo") == "/apis/networking.istio.io/v1/namespaces/demo/gateways"
    assert collection("VirtualService", "demo", "v1beta1").startswith("/apis/networking.istio.io/v1beta1/")
    assert collection("Pod", "demo") == "/api/v1/namespaces/demo/pods"
    assert collection("Pod", "") == "/api/v1/pods"
    assert collection("ServiceEntry", "", "v1beta1") == "/apis/networking.istio.io/v1beta1/serviceentries"
    assert collection("EnvoyFilter", "demo", "v1beta1").startswith(
        "/apis/networking.istio.io/v1alpha3/namespaces/demo/"
    )
    assert collection("Lease", "demo") == "/apis/coordination.k8s.io/v1/namespaces/demo/leases"
    assert KINDS["Gateway"].resource == "gateways.networking.istio.io"
    assert (KINDS["Pod"].resource, KINDS["Pod"].group) == ("pods", "")


def test_what_proxies_hear_of_is_what_a_barrier_waits_for():
    assert {kind.name for kind in OWNED} - {kind.name for kind in PUSHED} == {"HorizontalPodAutoscaler", "ConfigMap"}
