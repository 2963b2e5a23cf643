"""A LaneGroup in Git, under load: the rounds and the take-overs that docs/gitops.md tells of, as commits that Flux
carries out, and once more by a script that does what Argo CD does. Beside it what rendered files break by Flux.
"""

import os

import pytest
from gitops import PUSH, ArgoScript, Flux, as_object, as_rendered, rounds
from load_hops import reported
from load_judge import total, wrong
from load_objects import ControllerProcess, Objects
from load_story import ADDED, START, TURNED, Story, from_the_start, living, traffic
from load_world import GROUP, HOST, NAMESPACE
from mesh_cluster import kubectl, own_kinds, until
from soak import SOAK

pytestmark = pytest.mark.cluster
LONGEST = 1800.0  # seconds of load, at most
ROUNDS, TAKE_OVERS = (8, 4) if SOAK else (2, 1)
ENOUGH = 20_000 if SOAK else 2_000


@pytest.fixture(scope="module")
def mesh():
    """The namespace, with all versions running; the gateway's address."""
    own_kinds()
    with living(ADDED.versions) as address:
        yield address


@pytest.fixture
def story(mesh, tmp_path):
    return from_the_start(mesh, tmp_path)


def whole(story):
    sum_of = total(story.rows())
    assert (sum_of.failed, sum_of.mixed) == (0, 0), f"\n{wrong(story.rows())}\n{reported()}"
    assert sum_of.sent >= ENOUGH


def tell(story, git):
    """All rounds and take-overs, each a commit."""
    for name, world in rounds(ROUNDS, START, ADDED):
        with story.change(name, world):
            git.commit(as_object(world))
    for number in range(TAKE_OVERS):
        with story.change(f"take-over {number + 1}: every lane means something else", TURNED):
            git.commit(as_object(TURNED))
        with story.change(f"take-over {number + 1}: and back", START):
            git.commit(as_object(START))
    story.until_enough(ENOUGH, LONGEST / 3)


@pytest.mark.skipif(PUSH not in os.environ, reason=f"{PUSH} does not name the command that gives a folder to Flux")
def test_commits_by_flux_lose_nothing_where_rendered_files_do(story, tmp_path):
    with ControllerProcess(tmp_path).running():
        flux = Flux(tmp_path, "objects")
        flux.commit(as_object(START))
        with traffic(story, "a LaneGroup, by Flux", LONGEST):
            tell(story, flux)
        whole(story)
        assert any(one.startswith("Unknown") for one in flux.seen), "Progressing on the way"
        assert not any(one.startswith("False") for one in flux.seen), flux.seen
        flux.end()  # prunes the LaneGroup
        until(lambda: Objects().read() == {}, "the LaneGroup's end")
    rendered(Story(story.address, HOST, tmp_path / "rendered.jsonl", START), tmp_path)


def rendered(story, folder):
    """The same rounds and take-overs as rendered files: printed, not asserted, as what breaks is a matter of luck."""
    flux = Flux(folder, "rendered")
    flux.commit(as_rendered(START, folder))
    with traffic(story, "rendered files, by Flux", LONGEST):
        for name, world in [*rounds(ROUNDS, START, ADDED), *[("turned", TURNED), ("and back", START)] * TAKE_OVERS]:
            with story.change(name, world):
                flux.commit(as_rendered(world, folder))
    flux.end()


def test_commits_by_argo_cd_lose_nothing_and_nothing_is_out_of_sync(story, tmp_path):
    with ControllerProcess(tmp_path).running():
        argo = ArgoScript(NAMESPACE)
        argo.commit(as_object(START))
        with traffic(story, "a LaneGroup, by what Argo CD does", LONGEST):
            tell(story, argo)
            argo.watch(3)
        whole(story)
        assert any("Progressing" in one for one in argo.seen), "Progressing on the way"
        assert not any("OutOfSync" in one or "Degraded" in one for one in argo.seen), argo.seen
        argo.commit({})
        kubectl("wait", "--for=delete", f"lanegroups.graylane.dev/{GROUP}", "-n", NAMESPACE, "--timeout=120s")
