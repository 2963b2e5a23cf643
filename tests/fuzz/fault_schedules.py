"""Commands on an API server that fails in every way, and commands that are killed; then the same again without faults.

What must hold: the same command leads to the wanted state once the faults have ended; no lock is left, or what is left
is told with the command that mends it; no traceback; a revision that says `succeeded` is what the cluster has; no route
is written by a process that does not hold the lock.

`make faults` runs the whole trial and prints its figures.
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from fake_api import FakeApi, api_server, deployment, service
from faults import Burst, Schedule
from forked import Done, Forked
from rollout_world import GROUP, SIZES, group
from runner_world import AT_ONCE, Mesh, rendered

from meshconfig.cluster import revision
from meshconfig.cluster.revision import RevisionStatus

PATIENCE = 180.0  # seconds for a rollout to end, also on a machine that is busy with other things
TOLD = "kubectl delete leases.coordination.k8s.io graylane-pets -n demo"
CONTINUE = "the files are written; to continue: graylane apply"
ROUTES = ("virtualservices", "destinationrules", "gateways", "horizontalpodautoscalers")

DOG = "    dog: {host: dog-svc, port: 9001, versions: {prod: {labels: {v: prod}}}}\n"
CHANGED = {
    "the baseline in two services": GROUP.replace("cat: v1, mouse: v1", "cat: v2, mouse: v2"),
    "a lane in two services": GROUP.replace("cat: v2, mouse: v2", "cat: v1, mouse: v1"),
    "another host": GROUP.replace("cat.example.com", "other.example.com"),
    "a service that leaves": GROUP.replace(DOG, "").replace(", calls: [dog]", ""),
}
ROLLOUT = """\
apiVersion: graylane/v1
kind: Rollout
metadata: {name: cat-v2, namespace: demo}
spec:
  group: pets
  services: {cat: {from: v1, to: v2}}
  steps: [{weight: 10}, {weight: 50, replicas: 50%}, {weight: 100}]
"""


@dataclass
class Trial:
    """One schedule: the server, the files, and what went wrong."""

    api: FakeApi
    folder: Path
    forked: Forked
    random: Random
    stale: bool = False
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "graylane.yaml"

    def routes(self) -> dict[Any, Any]:
        return Mesh(self.api, None).routes()

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def run(self, *arguments: object, calm: bool = False) -> Done:
        done = self.forked.run(*arguments)
        self.judge(arguments, done)
        if calm:
            assert done.status == 0, (arguments, done)
        return done

    def judge(self, arguments: Iterable[object], done: Done) -> None:
        """What holds after every process."""
        self.counts["runs"] += 1
        self.said.append(f"$ graylane {' '.join(map(str, arguments))}: {done.status}\n{done.err}")
        if "Traceback" in done.err + done.out:
            self.counts["tracebacks"] += 1
            self.wrong.append("a traceback")
        if done.status not in (0, 1, 2, -signal.SIGKILL):
            self.wrong.append(f"exit status {done.status}")
        if done.status == -signal.SIGKILL:
            self.counts["killed"] += 1
        else:
            self._check_lock(done)
        self._check_history()

    def _check_lock(self, done: Done) -> None:
        """That of a process that was killed before is no fault of this one; the next that writes takes it at once."""
        lease = self.api.get("leases", "graylane-pets")
        if not lease or f"/{self.forked.last}/" not in (lease["spec"].get("holderIdentity") or ""):
            return
        if TOLD in done.err:
            self.counts["locks left and told"] += 1
            del self.api.objects["leases", "demo", "graylane-pets"]  # as that command does
        else:
            self.counts["locks left"] += 1
            self.wrong.append("a lock is left, and nothing says so")

    def _check_history(self) -> None:
        """Of the newest revision: what succeeded is what there is."""
        found = [
            revision.parse({"kind": "ConfigMap", **one})
            for (kind, _, _), one in list(self.api.objects.items())
            if kind == "configmaps" and revision.REVISION in (one["metadata"].get("labels") or {})
        ]
        last = max(found, key=lambda one: one.number, default=None)
        if last is None or last.outcome is not RevisionStatus.SUCCEEDED or self.stale:
            return
        if self.routes() != ({} if last.gone else rendered(last.spec)):
            self.wrong.append(f"revision {last.number} says that it succeeded, and the cluster has something else")


@dataclass(frozen=True)
class Story:
    """A change: what comes before it, its command, and whether its end is reached."""

    name: str
    before: Callable[[Trial], None]
    command: Callable[[Trial], tuple[object, ...]]
    reached: Callable[[Trial], bool]

    def again(self, trial: Trial, done: Done, original: str) -> tuple[object, ...]:
        """What a person does next: the same again, or if the file has the change already, apply."""
        if CONTINUE in done.err or trial.file.read_text() != original:
            return ("apply", "-f", trial.file, *AT_ONCE)
        return self.command(trial)


def applied(*texts: str) -> Callable[[Trial], None]:
    def before(trial: Trial) -> None:
        for text in texts:
            trial.write(text)
            trial.run("apply", "-f", trial.file, *AT_ONCE, calm=True)

    return before


def as_in_the_file(trial: Trial) -> bool:
    return trial.routes() == rendered(group(trial.file.read_text()))


def change(name: str) -> Story:
    def before(trial: Trial) -> None:
        applied(GROUP)(trial)
        trial.write(CHANGED[name])

    return Story(f"apply {name}", before, lambda trial: ("apply", "-f", trial.file, *AT_ONCE), as_in_the_file)


def edit(*words: str, before: Callable[[Trial], None] | None = None) -> Story:
    first = before or applied(GROUP)

    def changed(trial: Trial) -> bool:
        return as_in_the_file(trial) and trial.file.read_text() != GROUP

    return Story(" ".join(words), first, lambda trial: (*words, "-f", trial.file, "--apply", *AT_ONCE), changed)


def taken_over(trial: Trial) -> None:
    applied(GROUP)(trial)
    for name in ("cat", "mouse"):
        trial.run("version", "takeover", name, "v2", "-f", trial.file, "--apply", *AT_ONCE, calm=True)
    trial.run("lane", "remove", "gray", "-f", trial.file, "--apply", *AT_ONCE, calm=True)


STORIES = (
    Story(
        "first apply",
        lambda trial: trial.write(GROUP),
        lambda trial: ("apply", "-f", trial.file, *AT_ONCE),
        as_in_the_file,
    ),
    *map(change, CHANGED),
    Story(
        "delete",
        applied(GROUP),
        lambda trial: ("delete", "-f", trial.file, *AT_ONCE),
        lambda trial: trial.routes() == {},
    ),
    Story(
        "rollback",
        applied(GROUP, CHANGED["another host"]),
        lambda trial: ("rollback", "pets", "-n", "demo", "--to", "1", *AT_ONCE),
        lambda trial: trial.routes() == rendered(group(GROUP)),
    ),
    edit("version", "takeover", "cat", "v2"),
    edit("version", "weights", "cat", "v1=1", "v2=3"),
    edit("version", "add", "cat", "v3", "--from", "v2", "--image", "cat:3"),
    edit("version", "retire", "cat", "v1", before=taken_over),
    edit("lane", "add", "blue", "--versions", "cat=v2"),
)


def changed_under_faults(trial: Trial, story: Story, attempts: int) -> None:
    """The command under faults or until it is killed, as often as `attempts` says, then without any, to its end."""
    original = trial.file.read_text()
    command = story.command(trial)
    for _ in range(attempts):
        done = trial.run(*command)
        if done.status == 0:
            if not story.reached(trial) and not trial.stale:
                trial.wrong.append("it ended well, and the wanted state is not there")
            break
        command = story.again(trial, done, original)
    trial.api.fault = lambda method, path: None
    for _ in range(3):
        done = trial.run(*command)
        if done.status == 0 and story.reached(trial):
            return
        command = story.again(trial, done, original)
    trial.wrong.append(f"the wanted state is not reached: {done}")


def rolled_out(trial: Trial, attempts: int) -> None:
    """A rollout that is started and driven under faults, or by controllers that are killed; then by one without any."""
    file = trial.folder / "rollout.yaml"
    file.write_text(ROLLOUT)
    for _ in range(attempts):
        trial.run("rollout", "start", "-f", file)
    fault, trial.api.fault = trial.api.fault, lambda method, path: None
    if "cat-v2" not in trial.api.names("rollouts"):
        trial.run("rollout", "start", "-f", file, calm=True)
    for last in (*[False] * attempts, True):
        trial.api.fault = fault if not last else lambda method, path: None
        drive(trial, PATIENCE if last else 4.0)
    if phase(trial) != "Succeeded":
        trial.wrong.append(f"the rollout is not at its end: {phase(trial)}")


def drive(trial: Trial, seconds: float) -> None:
    if phase(trial) not in UNDER_WAY:
        return
    arguments = ("controller", "-n", "demo", *AT_ONCE)
    trial.forked.start(*arguments)
    end = time.monotonic() + seconds
    while time.monotonic() < end and phase(trial) in UNDER_WAY and alive(trial.forked.pid):
        time.sleep(0.02)
    if alive(trial.forked.pid):
        os.kill(trial.forked.pid, signal.SIGTERM)
    trial.judge(arguments, trial.forked.wait())


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


UNDER_WAY = ("Pending", "Progressing", "Paused", "RollingBack", "Aborting")


def phase(trial: Trial) -> str:
    found = trial.api.get("rollouts", "cat-v2")
    return str(found.get("status", {}).get("phase", "Pending")) if found else "none"


@dataclass
class Kill:
    """Kills the process at its n-th request, before the request is carried out or before it is answered."""

    trial: Trial
    number: int
    done: bool
    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, method: str, path: str) -> "Kill | None":
        with self.lock:
            self.count += 1
            return self if self.count == self.number else None

    def serve(self, handler: Any, body: Any) -> None:
        if self.done:
            handler.answer(body)
        if self.trial.forked.pid:
            os.kill(self.trial.forked.pid, signal.SIGKILL)
        handler.close_connection = True


def watch_the_lock(trial: Trial) -> None:
    """No route is written by a process that does not hold the group's Lease."""

    def hook(method: str, path: str) -> None:
        plural = path.partition("?")[0].split("/")[-2:-1]
        if method in ("PATCH", "DELETE", "PUT", "POST") and plural and plural[0] in ROUTES and "dryRun" not in path:
            lease = trial.api.get("leases", "graylane-pets")
            holder = lease["spec"].get("holderIdentity") or "" if lease else ""
            if trial.forked.pid and f"/{trial.forked.pid}/" not in holder:
                trial.wrong.append(f"{method} {path} while {holder or 'nobody'} has the lock")

    trial.api.before.append(hook)


def tried(seed: int, kills: bool, forked: Forked) -> Trial:
    """One schedule of faults, or one run with kills."""
    with tempfile.TemporaryDirectory() as name, api_server() as api:
        trial = Trial(api, Path(name), forked, Random(seed))
        forked.at(trial.folder, api.kubeconfig(trial.folder))
        _tried(trial, kills)
    return trial


def _tried(trial: Trial, kills: bool) -> None:
    api, random = trial.api, trial.random
    api.past = deque(maxlen=random.randint(1, 8))
    api.put(*[service(f"{name}-svc") for name in ("cat", "mouse", "dog")])
    for name in SIZES:
        api.put(*[deployment(f"{name}-{version}", {"v": version}, 2) for version in ("v1", "v2")])
    watch_the_lock(trial)
    story = random.choice((*STORIES, None, None))
    trial.said.append(f"== {story.name if story else 'rollout'}")
    (story.before if story else applied(GROUP))(trial)
    if kills:
        api.fault = Kill(trial, random.randint(1, 60 if story else 150), random.random() < 0.5)
    else:
        api.fault = random.choice((Schedule, Schedule, Schedule, Burst))(random)
        trial.stale = "stale" in getattr(api.fault, "kinds", ())
    fault = api.fault
    if story:
        changed_under_faults(trial, story, random.randint(1, 3))
    else:
        rolled_out(trial, random.randint(1, 2))
    for kind, count in getattr(fault, "met", {}).items():
        trial.counts[f"fault: {kind}"] += count


def summary(trials: Iterable[Trial], what: str) -> str:
    counts: Counter[str] = Counter()
    found = list(trials)
    for one in found:
        counts.update(one.counts)
    faults = sum(count for name, count in counts.items() if name.startswith("fault: "))
    wrong = sum(bool(one.wrong) for one in found)
    return (
        f"{len(found)} {what}: {counts['runs']} commands, {faults} faults, {counts['killed']} killed; wanted state not "
        f"reached or another promise broken: {wrong}; locks left: {counts['locks left']} (told with the command that "
        f"mends it: {counts['locks left and told']}); tracebacks: {counts['tracebacks']}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--kills", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    given = parser.parse_args()
    failed, forked = 0, Forked()
    for what, count, kills in (("fault schedules", given.schedules, False), ("runs with kills", given.kills, True)):
        trials = []
        for seed in range(given.seed, given.seed + count):
            one = tried(seed, kills, forked)
            trials.append(one)
            if one.wrong:
                failed += 1
                print(f"seed {seed}: {'; '.join(one.wrong)}", *one.said, sep="\n", flush=True)
        print(summary(trials, what), flush=True)
    forked.close()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
