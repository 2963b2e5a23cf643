"""A change writes no resource that the API server would refuse for its size, on its way or at its end."""

import json

import pytest
from fake_api import RefusedError
from rollout_world import GROUP
from runner_world import NOWHERE, cluster, mesh

from meshconfig.cluster.change import Choices, Wanted, Watcher, carry_out, prepare
from meshconfig.cluster.change.prepare import OversizedError
from meshconfig.cluster.plan import steps
from meshconfig.load import parse
from meshconfig.spec import LaneGroup

__all__ = ["cluster", "mesh"]

TURNED = GROUP.replace("cat: v1, mouse: v1", "cat: v2, mouse: v2")  # the baseline in two services: a consistent change


def spec(text):
    return LaneGroup.model_validate(parse(text, "f")[0].value)


def size(manifest):
    return len(json.dumps(manifest, separators=(",", ":"), ensure_ascii=False).encode())


def largest(prepared):
    return max(size(one) for step in prepared.plan.steps for wave in step.waves for one in wave)


def limited(api, most, monkeypatch):
    """The API server refuses what is larger, as etcd does."""
    answer = api.answer

    def refuse(method, url, body):
        if method == "PATCH" and size(body) > most:
            raise RefusedError(500, "", "etcdserver: request is too large")
        return answer(method, url, body)

    monkeypatch.setattr(api, "answer", refuse)


def test_a_consistent_change_that_would_not_fit_is_made_directly_with_its_risk(mesh, monkeypatch):
    turned = Wanted("pets", "demo", spec(TURNED))
    whole = prepare(mesh.client, turned)
    end = max(map(size, whole.resources.values()))
    assert whole.plan.consistent
    assert largest(whole) > end
    monkeypatch.setattr(steps, "LARGEST", end)
    limited(mesh.api, end, monkeypatch)
    direct = prepare(mesh.client, turned)
    assert not direct.plan.consistent
    assert largest(direct) <= end
    reason, *_ = [one for one in direct.plan.reasons if "on its way" in one]
    assert reason.startswith("a consistent change would on its way write VirtualService demo/")
    assert any("may meet old and new" in risk for risk in direct.plan.risks)
    done = carry_out(mesh.client, turned, Choices(wait=0, drain=0, istiod=NOWHERE), Watcher())
    assert done.prepared.differences


def test_what_just_fits_is_changed_consistently(mesh, monkeypatch):
    turned = Wanted("pets", "demo", spec(TURNED))
    monkeypatch.setattr(steps, "LARGEST", largest(prepare(mesh.client, turned)))
    assert prepare(mesh.client, turned).plan.consistent


@pytest.mark.parametrize("fast", [False, True])
def test_a_resource_that_never_fits_is_refused_before_anything_is_written(mesh, monkeypatch, fast):
    monkeypatch.setattr(steps, "LARGEST", 900)
    before = json.dumps(list(mesh.api.objects.items()), default=str)
    with pytest.raises(OversizedError, match=r"^nothing was changed: the spec makes \w+ demo/\S+ of \d+ kB, more than"):
        carry_out(
            mesh.client,
            Wanted("pets", "demo", spec(TURNED)),
            Choices(wait=0, drain=0, istiod=NOWHERE, fast=fast),
            Watcher(),
        )
    assert json.dumps(list(mesh.api.objects.items()), default=str) == before
