"""What a spec renders to, imported again, decides as before."""

from pathlib import Path

import pytest

from meshconfig.groups import read
from meshconfig.importing import import_group
from meshconfig.istio import Resources
from meshconfig.render import render

ROOT = Path(__file__).parents[3]
SPECS = sorted([*ROOT.glob("examples/*/graylane*.yaml"), *(ROOT / "tests" / "golden").glob("*/in.yaml")])
OUTSIDE = "api.example.org"  # a service outside the cluster, of which import makes none


def imported(group):
    resources = Resources.parse(render([group.model]))
    return import_group(resources, group.spec.metadata.name, group.spec.metadata.namespace)


def is_imported_whole(group):
    """Hosts outside the mesh are left alone, with the entries that lead to one, and links: redirects with a cookie."""
    spec = group.spec.spec
    return not any(one.links for one in spec.entries) and not any(one.external for one in spec.services.values())


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_a_spec_renders_to_is_imported_and_decides_alike(spec: Path):
    for group in read([str(spec)], "istio"):  # HTTPRoutes are not imported
        found = imported(group)
        assert found.proof.asked > 0
        assert [one.what for one in found.proof.wrong] == []
        if is_imported_whole(group):
            assert all(OUTSIDE in one.why for one in found.fitted.unsaid)


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_imported_spec_has_the_same_services_versions_lanes_and_entries(spec: Path):
    for group in read([str(spec)], "istio"):  # HTTPRoutes are not imported
        was, found = group.spec.spec, imported(group).fitted.value["spec"]
        inside = [one for one in was.services.values() if one.host != OUTSIDE and not one.external]
        hosts = {one.host for one in inside}
        assert {one["host"] for one in found["services"].values()} == hosts
        if is_imported_whole(group):
            entries = [list(one.hosts) for one in was.entries]
            assert sorted(one["hosts"] for one in found.get("entries", [])) == sorted(entries)
        for service in inside:
            same = next(one for one in found["services"].values() if one["host"] == service.host)
            assert {name: one["labels"] for name, one in same["versions"].items()} == {
                name: one.labels for name, one in service.versions.items()
            }
        # Without an entry that sets its tag, no route shows a lane that has consumers of messages alone.
        routed = {route.id.key for one in group.model.services for route in one.routes}
        lanes = set(was.lanes) if was.entries or not was.consumers else set(was.lanes) & routed
        assert lanes <= {*found["lanes"], was.tag.default}
