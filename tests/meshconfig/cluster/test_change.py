"""What an apply writes when nothing, or nothing that a resource shows, has changed."""

from rollout_world import GROUP, group
from runner_world import cluster, mesh

__all__ = ["cluster", "mesh"]


def writes(api, begin=0):
    """What was asked for since, besides reading and questions about rights."""
    asked = [(method, path.partition("?")[0]) for method, path in api.seen[begin:]]
    return [one for one in asked if one[0] != "GET" and "/authorization.k8s.io/" not in one[1]]


def test_the_same_spec_again_writes_nothing(mesh):
    begin = len(mesh.api.seen)
    outcome = mesh.apply(group())
    assert (outcome.revision, outcome.verdict) == (None, None)
    assert writes(mesh.api, begin) == []


def test_what_no_resource_shows_is_remembered_and_no_resource_written(mesh):
    before = mesh.routes()
    begin = len(mesh.api.seen)
    changed = group(GROUP.replace("v2: {labels: {v: v2}}", "v2: {labels: {v: v2}, workload: cat-next}", 1))
    assert mesh.apply(changed).revision == 2
    assert mesh.routes() == before
    resources = [path for method, path in writes(mesh.api, begin) if "networking.istio.io" in path]
    assert resources == []
    assert "graylane-pets-r2" in mesh.api.names("configmaps")
    assert mesh.apply(changed).revision is None
