"""A namespace in which one rollout after the other is driven under load, each from the same beginning; and what is
there at the end beside what there should be."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import load
import yaml
from load import Sent
from load_judge import total
from load_mesh import apply
from load_story import Story
from mesh_cluster import RENDERED, ROLLOUTS, WRITTEN, Manifest, forget, kubectl, until
from prometheus_server import Prometheus
from rollout_command import Controller, Person
from rollout_mesh import GROUP, HOST, MOVED, NAMESPACE, OLD, Sizes, State, deployments, group

LONGEST = 600.0  # seconds of load in one scene, at most

Place = tuple[str, str]  # kind and name


@dataclass
class Scene:
    """One story under load, who is in it, and the Pods that there were when it began."""

    story: Story
    person: Person
    controller: Controller
    prometheus: Prometheus
    tags: Sequence[str]
    sizes: Sizes

    @contextmanager
    def traffic(self, title: str) -> Iterator[None]:
        """Load while the block runs; whatever happens in it, what became of the requests is printed."""
        self.story.ready()
        began = time.monotonic()
        try:
            with load.load(self.story.address, HOST, self.tags, self.story.out, seconds=LONGEST):
                yield
        finally:
            rate = load.count_ended(self.story.out) / (time.monotonic() - began)
            print(f"{self.story.tell(title)}\n  {rate:.0f} requests a second")

    def more(self, number: int = 200) -> list[Sent]:
        """The next requests."""
        begin = load.count_ended(self.story.out)
        until(lambda: load.count_ended(self.story.out) > begin + number, f"{number} requests")
        return load.read(self.story.out)[begin:]

    def share(self, version: str) -> float:
        """Of the next untagged requests, those that this version answered."""
        versions = [one.chain[0][1] for one in self.more(800) if not one.tag and one.chain]
        return versions.count(version) / len(versions)

    def intact(self, but: str = "") -> None:
        """No request was lost or mixed, except for failures of which `but` is told."""
        whole = total(self.story.rows())
        excused = sum(times for reason, times in whole.reasons.items() if but and but in reason)
        assert (whole.failed, whole.mixed) == (excused, 0), whole.reasons
        assert all(row.sent for row in self.story.rows()), "a change without requests shows nothing"

    def is_as(self, text: str, wanted: Mapping[str, int]) -> None:
        """The cluster has what `graylane render` prints for this LaneGroup, no more, and these Deployments."""
        assert live() == rendered(self.person, text)
        assert replicas() == wanted
        until(lambda: settled(sum(wanted.values())), "no more and no fewer Pods")

    def is_as_before(self) -> None:
        self.is_as(group(moved_to(self.sizes)), pods(self.sizes))


def prepared(
    folder: Path, gateway: str, prometheus: Prometheus, begun: State, sizes: Sizes, fail_rate: int = 0
) -> Scene:
    """All as it is before a rollout: Pods, and the group that leads to v1."""
    forget(ROLLOUTS, NAMESPACE)
    kubectl("delete", WRITTEN, "--all", "-n", NAMESPACE)
    there = list(deployments(sizes, fail_rate=fail_rate))
    gone = set(replicas()) - {one["metadata"]["name"] for one in there}
    kubectl("delete", "deployment", "--ignore-not-found", "-n", NAMESPACE, *gone, "nobody")
    apply(there)
    until(lambda: settled(sum(pods(sizes).values())), "as many Pods as there should be")
    person = Person(folder)
    person.apply(group(moved_to(sizes)))
    story = Story(gateway, HOST, folder / "requests.jsonl", begun)
    return Scene(story, person, Controller(folder), prometheus, begun.tags, sizes)


def moved_to(sizes: Sizes) -> tuple[str, ...]:
    """The versions that have a lane."""
    return tuple(version for version in sizes if version != OLD)


def emptied(version: str, image: str) -> None:
    """No Pods of this version, and none that could come up."""
    for name in (f"deployment/{service}-{version}" for service in MOVED):
        kubectl("scale", name, "--replicas=0", "-n", NAMESPACE)
        kubectl("set", "image", name, f"app={image}", "-n", NAMESPACE)


def pods(sizes: Sizes) -> dict[str, int]:
    """By Deployment."""
    moved = {f"{service}-{version}": number for version, number in sizes.items() for service in MOVED}
    return {**moved, f"dog-{OLD}": 1}


def settled(number: int) -> bool:
    """So many Pods, none that is about to go, all ready."""
    found = json.loads(kubectl("get", "pods", "-n", NAMESPACE, "-o", "json").stdout)["items"]
    return len(found) == number and all(map(_ready, found))


def _ready(pod: Manifest) -> bool:
    conditions = {one["type"]: one["status"] for one in pod.get("status", {}).get("conditions", ())}
    return "deletionTimestamp" not in pod["metadata"] and conditions.get("Ready") == "True"


def replicas() -> Mapping[str, int]:
    """What each Deployment asks for."""
    found = json.loads(kubectl("get", "deployments", "-n", NAMESPACE, "-o", "json").stdout)["items"]
    return {one["metadata"]["name"]: one["spec"]["replicas"] for one in found}


def live() -> Mapping[Place, Manifest]:
    """What the cluster has of the group: the labels and the spec of each."""
    found = kubectl("get", RENDERED, "-n", NAMESPACE, "-l", f"graylane.dev/group={GROUP}", "-o", "json").stdout
    return _by_place(json.loads(found)["items"])


def rendered(person: Person, text: str) -> Mapping[Place, Manifest]:
    """What `graylane render` prints for a LaneGroup, in the same form."""
    return _by_place([one for one in yaml.safe_load_all(person.render(text)) if one])


def _by_place(manifests: list[Manifest]) -> Mapping[Place, Manifest]:
    return {
        (one["kind"], one["metadata"]["name"]): {"labels": one["metadata"]["labels"], "spec": one["spec"]}
        for one in manifests
    }
