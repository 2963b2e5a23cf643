"""Changes under way: each runs on a thread of its own, and pages show how far it is."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum

from meshconfig.console.faults import BusyError, MissingError, NotStoppableError
from meshconfig.console.refs import GroupRef
from meshconfig.errors import ClusterError, GraylaneError

KEPT = 200  # changes that are shown after their end
AT_ONCE = 16  # changes under way
EACH = 4  # of one person, so that nobody takes all of them


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class StoppedByPersonError(ClusterError):
    """A person has stopped the change; what is written stays, and the next change continues from there."""


@dataclass(slots=True)
class JobStep:
    """A step of a change. `detail` says what it waits for, or how it ended."""

    title: str
    state: State = State.WAITING
    detail: str = ""
    began: float = 0.0
    seconds: float | None = None


@dataclass(slots=True)
class Job:
    """One change under way. Thread-safe: one thread carries it out, others look.

    Parameters:
        person: the name of who has begun it.
        owner: who has begun it, also where nobody knows the name; nobody else sees it.
        can_stop: whether it ends at the next safe step when it is asked to.
    """

    name: str
    ref: GroupRef
    person: str
    owner: object
    action: str
    can_stop: bool
    state: State = State.RUNNING
    steps: list[JobStep] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lines: Sequence[str] = ()
    stopping: threading.Event = field(default_factory=threading.Event)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def plan(self, titles: Sequence[str]) -> None:
        with self.lock:
            self.steps = [JobStep(one) for one in titles]

    def plan_to(self, count: int) -> None:
        """There are so many steps, whose titles come one by one."""
        with self.lock:
            self.steps += [JobStep("") for _ in range(count - len(self.steps))]

    def note(self, text: str) -> None:
        with self.lock:
            if text not in self.notes:
                self.notes.append(text)

    def step(self, number: int, title: str) -> None:
        """A step begins.

        Raises:
            StoppedByPersonError: the person does not want it any more.
        """
        self.check()
        with self.lock:
            while len(self.steps) <= number:
                self.steps.append(JobStep(title))
            for one in self.steps[:number]:
                if one.state in (State.WAITING, State.RUNNING):
                    self._end(one, State.DONE)
            one = self.steps[number]
            one.title, one.state, one.began = title, State.RUNNING, time.monotonic()

    def detail(self, text: str) -> None:
        """What the step under way does."""
        with self.lock:
            if running := self._running():
                running.detail = text

    def ended(self, text: str = "") -> None:
        """The step under way is over."""
        with self.lock:
            if running := self._running():
                self._end(running, State.DONE)
                running.detail = text

    def check(self) -> None:
        """
        Raises:
            StoppedByPersonError: the person does not want it any more.
        """
        if self.stopping.is_set():
            raise StoppedByPersonError(f"stopped by {self.person or 'the person who began it'}")

    def stop(self) -> None:
        """End at the next safe step.

        Raises:
            NotStoppableError: it is not the console that carries it out.
        """
        if not self.can_stop:
            raise NotStoppableError(
                "the controller carries this change out, so that it cannot be stopped here: change the group back"
            )
        self.stopping.set()

    def finish(self, state: State, lines: Sequence[str]) -> None:
        with self.lock:
            if running := self._running():
                self._end(running, state)
            self.state, self.lines = state, lines

    def _running(self) -> JobStep | None:
        return next((one for one in self.steps if one.state is State.RUNNING), None)

    @staticmethod
    def _end(one: JobStep, state: State) -> None:
        one.state = state
        one.seconds = round(time.monotonic() - one.began, 1) if one.began else None


Work = Callable[[Job], Sequence[str]]  # tells the job how far it is, and returns lines about its end


@dataclass(frozen=True, slots=True)
class Begun:
    """A change that may begin.

    Parameters:
        can_stop: it ends at the next safe step when the person asks for it.
    """

    action: str
    can_stop: bool
    work: Work


class Jobs:
    """The changes of this process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._pool = ThreadPoolExecutor(AT_ONCE, "change")

    def begin(self, ref: GroupRef, person: str, owner: object, begun: Begun) -> Job:
        """Carry out a change on a thread.

        Raises:
            BusyError: the person has `EACH` under way.
        """
        job = Job(secrets.token_urlsafe(12), ref, person, owner, begun.action, begun.can_stop)
        with self._lock:
            if sum(one.owner == owner and one.state is State.RUNNING for one in self._jobs.values()) >= EACH:
                raise BusyError(f"you have {EACH} changes under way, the most: wait until one ends, or stop one")
            self._jobs[job.name] = job
            ended = [name for name, one in self._jobs.items() if one.state is not State.RUNNING]
            for name in ended[: max(0, len(self._jobs) - KEPT)]:
                del self._jobs[name]
        self._pool.submit(self._run, job, begun.work)
        return job

    def find(self, ref: GroupRef, name: str, owner: object) -> Job:
        """
        Raises:
            MissingError: there is no such change of this group and person.
        """
        with self._lock:
            job = self._jobs.get(name)
        if job is None or (job.ref, job.owner) != (ref, owner):
            raise MissingError(f"this console has no such change of group {ref} under your name")
        return job

    def stop_all(self) -> None:
        """Has every change stop at its next safe step."""
        with self._lock:
            for one in self._jobs.values():
                one.stopping.set()

    def _run(self, job: Job, work: Work) -> None:
        try:
            job.finish(State.DONE, work(job))
        except GraylaneError as error:
            job.finish(State.FAILED, str(error).split("\n"))
        except Exception as error:
            job.finish(State.FAILED, [f"the console has a fault: {type(error).__name__}; its log has the details"])
            raise
