"""What a spec renders to in either backend, imported again, decides as before."""

from pathlib import Path

import pytest
from two_backends import for_both

from meshconfig.groups import groups
from meshconfig.importing import import_group
from meshconfig.istio import Resources
from meshconfig.load import load
from meshconfig.render import render

ROOT = Path(__file__).parents[3]
SPECS = sorted([*ROOT.glob("examples/*/graylane*.yaml"), *(ROOT / "tests" / "golden").glob("*/in.yaml")])
OUTSIDE = "api.example.org"  # a service outside the cluster, of which import makes none


def said_by_gateway_api(spec: Path) -> bool:
    """Whether the backend `gateway` has resources for a spec; its golden file has the problems otherwise."""
    name = f"{spec.parent.name}{'' if spec.stem == 'in' else f'.{spec.stem}'}.yaml"
    return not (ROOT / "tests" / "golden" / "gateway" / name).read_text().startswith("#")


BOTH = [("istio", one) for one in SPECS] + [("gateway", one) for one in SPECS if said_by_gateway_api(one)]
EVERY = pytest.mark.parametrize(
    ("backend", "spec"), BOTH, ids=lambda one: one if isinstance(one, str) else f"{one.parent.name}-{one.stem}"
)


def of(spec, backend):
    documents = [one for one in load([str(spec)]) if one.own]
    for one in documents if backend == "gateway" else ():
        for_both(one.value)
    return groups(documents, backend=backend)


def services(group):
    """The Services of a spec, which stand beside those of their versions."""
    for one in group.spec.inside():
        name, namespace, *_ = one.host.split(".")
        port = {"name": "http", "port": one.spec.port}
        spec = {"selector": dict(one.spec.selector), "ports": [port]}
        yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def imported(group):
    backend = group.model.backend
    resources = Resources.parse([*render([group.model]), *(services(group) if backend == "gateway" else ())])
    return import_group(resources, group.spec.metadata.name, group.spec.metadata.namespace, backend=backend)


def is_imported_whole(group):
    """Hosts outside the mesh are left alone, with the entries that lead to one, and links: redirects with a cookie.

    So is what only Gateway API says in such a way: a condition that baggage is absent as a rule before, and a listener
    for each host beside one that redirects.
    """
    spec = group.spec.spec
    only_there = [one.baggage == "keep" or (one.gateway.tls and one.gateway.tls.https_redirect) for one in spec.entries]
    return not (
        any(one.links for one in spec.entries)
        or any(one.external for one in spec.services.values())
        or (group.model.backend == "gateway" and any(only_there))
    )


@pytest.mark.slow
@EVERY
def test_what_a_spec_renders_to_is_imported_and_decides_alike(backend, spec):
    for group in of(spec, backend):
        found = imported(group)
        assert found.proof.asked > 0
        assert [one.what for one in found.proof.wrong] == []
        if is_imported_whole(group):
            assert all(OUTSIDE in one.why for one in found.fitted.unsaid)


@pytest.mark.slow
@EVERY
def test_the_imported_spec_has_the_same_services_versions_lanes_and_entries(backend, spec):
    for group in of(spec, backend):
        was, found = group.spec.spec, imported(group).fitted.value["spec"]
        inside = [one for one in was.services.values() if one.host != OUTSIDE and not one.external]
        hosts = {one.host for one in inside}
        assert {one["host"] for one in found["services"].values()} == hosts
        if is_imported_whole(group):
            entries = [list(one.hosts) for one in was.entries]
            assert sorted(one["hosts"] for one in found.get("entries", [])) == sorted(entries)
        for service in inside:
            same = next(one for one in found["services"].values() if one["host"] == service.host)
            # What a version's Service selects beside its service's own selector are its labels, said once.
            whole = same.get("selector", {})
            assert {name: {**whole, **one["labels"]} for name, one in same["versions"].items()} == {
                name: {**whole, **one.labels} for name, one in service.versions.items()
            }
        # Without an entry that sets its tag, no route shows a lane that has consumers of messages alone.
        routed = {route.id.key for one in group.model.services for route in one.routes}
        lanes = set(was.lanes) if was.entries or not was.consumers else set(was.lanes) & routed
        assert lanes <= {*found["lanes"], was.tag.default}
