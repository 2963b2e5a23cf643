"""What happens to a mesh in its life, as a list of states that each way of changing it goes through; and a telling of
it under load, with the time of each change."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import load
from load_hops import reporting
from load_judge import Allowed, Row, Step, judge, table
from load_mesh import apply, available
from load_world import HOST, NAMESPACE, TAGS, World, deployments, everywhere, surroundings
from mesh_cluster import HTTP_ROUTES, LANE_GROUPS, WRITTEN, forget, gateway_address, kubectl, until
from soak import SOAK

BLUE = {"cat": "v3", "dog": "v3"}  # no mouse: prod's answers in its place
MEANWHILE = 50  # requests, of a dozen connections
START = World(("v1", "v2"), {"prod": everywhere("v1"), "gray": everywhere("v2")})
ADDED = World(("v1", "v2", "v3"), {**START.lanes, "blue": BLUE})
BETWEEN = [{"v1": 50, "v2": 50}] if SOAK else []
WEIGHTS = [{"v1": 90, "v2": 10}, *BETWEEN, {"v1": 0, "v2": 100}, None]
SPLITS = [1, 10, 25, 50, 75, 50] if SOAK else [1, 50]  # percent of the untagged in gray
WEIGHTED = [
    *(replace(ADDED, weights=weights) for weights in WEIGHTS),
    *(replace(ADDED, split={"gray": gray, "prod": 100 - gray}) for gray in SPLITS),
]
TAKEN = replace(ADDED, lanes={**ADDED.lanes, "prod": everywhere("v2")})
RETIRED = replace(TAKEN, versions=("v2", "v3"))
# Each lane means something else at once, gray and blue in all three services.
TURNED = replace(ADDED, lanes={"prod": everywhere("v2"), "gray": everywhere("v3"), "blue": everywhere("v1")})


def weighting(world: World) -> str:
    """What the untagged get."""
    return f"split {dict(world.split)}" if world.split else f"weights {dict(world.weights or {}) or 'gone'}"


CHANGES: Sequence[tuple[str, World]] = [
    ("add a version and its lane", ADDED),
    *((weighting(world), world) for world in WEIGHTED),
    ("take v2 over to 100 %", TAKEN),
    ("retire v1", RETIRED),
]
SHORT = [(name, world) for name, world in CHANGES if world not in WEIGHTED]


class State(Protocol):
    """What a mesh is in: a World, or what else says which chains are right."""

    def allowed(self) -> Allowed: ...


@dataclass
class Story:
    """`world` is the state that the last change ended in."""

    address: str
    host: str
    out: Path
    world: State
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def change(self, name: str, to: State) -> Iterator[None]:
        """The block makes the change; it counts as under way until the block ends, whole old or whole new."""
        began = time.monotonic()
        try:
            yield
        finally:
            step = Step(name, began, time.monotonic(), self.world.allowed(), to.allowed())
            print(f"{step.ended - step.began:8.1f} s  {name}", flush=True)  # it goes on for minutes
            self.steps.append(step)
            self.world = to

    def until_enough(self, count: int, longest: float) -> None:
        """Goes on without a change until so many requests have ended, and some that were sent meanwhile."""
        wanted = max(count, load.count_ended(self.out) + MEANWHILE)
        with self.change("nothing, until there are enough", self.world):
            until(lambda: load.count_ended(self.out) > wanted, f"{wanted} requests", longest)

    def rows(self) -> list[Row]:
        return judge(load.read(self.out), self.steps) if self.steps else []

    def tell(self, title: str) -> str:
        return table(title, self.rows())

    def ready(self, patience: int = 5) -> None:
        """Every tag has had a right chain, several times in a row; before a story, not in it."""
        client = load.Client(self.address, self.host, "/sayHello")
        allowed = self.world.allowed()

        def right() -> bool:
            return all(client.ask(tag).chain in chains for _ in range(patience) for tag, chains in allowed.items())

        until(right, "the first state's chains")
        client.close()


@contextmanager
def living(versions: Iterable[str]) -> Iterator[str]:
    """The namespace with these versions running, for the time of the block; the gateway's address."""
    forget(LANE_GROUPS, NAMESPACE)
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")  # an earlier run's takes a while to end
    apply([*surroundings(), reporting()])
    for version in versions:
        apply(deployments(version))
    available()
    yield gateway_address()
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def from_the_start(address: str, folder: Path, start: State = START) -> Story:
    """A story that begins without any routes."""
    kubectl("delete", f"{WRITTEN},{HTTP_ROUTES}", "--all", "-n", NAMESPACE)
    return Story(address, HOST, folder / "requests.jsonl", start)


@contextmanager
def traffic(story: Story, title: str, seconds: float) -> Iterator[None]:
    """Load while the block runs, or so many seconds; whatever happens, what became of the requests is printed."""
    story.ready()
    try:
        with load.load(story.address, HOST, TAGS, story.out, seconds=seconds):
            yield
    finally:
        print(story.tell(title))
