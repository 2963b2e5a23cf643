"""The proof under load: while requests come in at more than a hundred a second in three lanes, a mesh is changed as in
its life, by `graylane` with no more rights than k8s/rbac gives. No request fails, and none is answered half by the old
and half by the new. Then the same by plain `kubectl apply` and prune, which breaks some: the proof can fail.

A request counts as failed whatever the reason, a kept connection closed on it included. See load.py and load_judge.py.
"""

import random

import pytest
from load_hops import reported
from load_judge import total, wrong
from load_mesh import Graylane, Kubectl, apply, available, scale
from load_story import CHANGES, SHORT, START, TAKEN, TURNED, WEIGHTED, from_the_start, living, traffic
from load_world import GROUP, NAMESPACE, deployments
from soak import SOAK

pytestmark = pytest.mark.cluster
ENOUGH = 20_000
LONGEST = 1800.0  # seconds of load, at most; on a machine of its own it takes a few minutes
KILLS, LATEST = 4 if SOAK else 2, 0.8  # in each of the first steps, and at most how many seconds after its beginning
SEED = 6
ROUNDS = 6


@pytest.fixture(scope="module")
def mesh():
    """The namespace, with v1 and v2 running; the gateway's address."""
    with living(START.versions) as address:
        yield address


@pytest.fixture
def story(mesh, tmp_path):
    return from_the_start(mesh, tmp_path)


def test_no_request_is_lost_and_none_gets_half_of_a_change(story, tmp_path):
    graylane = Graylane(tmp_path)
    graylane.apply(START)
    with traffic(story, "graylane apply", LONGEST):
        lives(story, graylane)
        story.until_enough(ENOUGH, LONGEST / 3)
    whole = total(story.rows())
    assert (whole.failed, whole.mixed) == (0, 0), why(story)
    assert whole.sent >= ENOUGH
    assert all(row.sent for row in story.rows()), "a step without requests shows nothing"


def why(story):
    """What went wrong, in which step and which hop. Failures are rare, and CI's record is often all there is of one."""
    return f"\n{wrong(story.rows())}\n{reported()}"


def test_the_same_by_plain_kubectl_breaks_some(story, tmp_path):
    plain = Kubectl(tmp_path)
    apply(deployments("v3"))
    scale("v1", 1)
    plain.apply(START)
    with traffic(story, "kubectl apply --server-side, and prune", LONGEST):
        for number in range(ROUNDS):
            for name, world in [*(CHANGES if not number else SHORT), ("back to the start", START)]:
                with story.change(name, world):
                    plain.apply(world)
            if all(broken(story)):
                break
    assert any(broken(story)), "the load or its judge sees nothing"


def broken(story):
    whole = total(story.rows())
    return whole.failed, whole.mixed


def lives(story, graylane):
    """All of it; what comes and goes besides the routes is a step of its own, in which nothing may change."""
    with story.change("v3 starts", story.world):
        apply(deployments("v3"))
        available()
    for name, world in CHANGES:
        with story.change(name, world):
            graylane.apply(world)
    with story.change("v1 stops", story.world):
        scale("v1", 0)
    with story.change("v1 starts again", story.world):
        scale("v1", 1)
    with story.change("roll back", TAKEN):
        graylane.run("rollback", GROUP, "-n", NAMESPACE)
    before = 1 + len(CHANGES) - 2  # START is revision 1; without the take-over and the end of v1
    with story.change(f"roll back to revision {before}", WEIGHTED[-1]):
        graylane.run("rollback", GROUP, "-n", NAMESPACE, "--to", str(before))
    chance = random.Random(SEED)
    for steps in range(KILLS):
        world, seconds = WEIGHTED[-1] if steps % 2 else TAKEN, chance.uniform(0, LATEST)
        with story.change(f"kill -9 {seconds:.1f} s after step {steps}, and again", world):
            assert graylane.killed(world, steps, seconds), "it had ended before"
            graylane.apply(world)
    with story.change("all lanes mean something else", TURNED):
        graylane.apply(TURNED)
    with story.change("and back", TAKEN):
        graylane.apply(TAKEN)
