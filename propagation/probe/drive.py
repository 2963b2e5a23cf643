"""Requests to an app in this process: its context, its calls to others, and an end to what takes too long."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import Context as Variables
from dataclasses import dataclass, field
from importlib import import_module
from queue import Empty, Queue
from threading import Thread
from typing import Any, Literal, NamedTuple
from unittest.mock import patch

from opentelemetry.context import Context, get_current

from propagation.errors import PropagationError
from propagation.probe.interface import NotAnApp
from propagation.probe.recorder import Call, Recorder, recording

# Where servers' middleware makes a context current: ours, and by its module's attribute OpenTelemetry's.
_ATTACHING = ("opentelemetry.context", "propagation.servers.asgi", "propagation.servers.work")
# Seconds that an app which is cancelled has for its end, before it is given up.
_GRACE = 2.0


class Request(NamedTuple):
    """What to send. path: with its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class TooSlow(Exception):  # noqa: N818  # an outcome of a request, which nobody raises to a caller
    """An app did not answer in time. given_up: it could not be cancelled, so that nothing was sent to it afterwards."""

    def __init__(self, seconds: float, given_up: bool = False) -> None:
        super().__init__(f"did not answer within {seconds:g} s")
        self.given_up = given_up


@dataclass
class Outcome:
    """How one request went, or goes.

    before, after: the contexts that were current around it. attached: those that became current while it ran. statuses:
    of its responses; empty where none began. error: what the app raised. calls: what it sent to others. unread: its
    connections that were no plain HTTP, "host:port: what it was".
    """

    before: Context
    after: Context
    attached: list[Context] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    error: Exception | None = None
    calls: list[Call] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def status(self) -> int | None:
        """The status of the response, None where none began."""
        return self.statuses[-1] if self.statuses else None


class _GivenUp(BaseException):
    """Ends what an app that was given up would go on with."""


class Watch:
    """The requests to one app: what it does meanwhile is noted, and how long each of its steps may take.

    The app runs in a thread of its own. The caller's thread undoes what was patched, also where the app never ends.
    seconds: the most that a start, a request, or a shutdown may take. reply: what the app's calls are answered with.
    """

    def __init__(self, seconds: float, reply: bytes) -> None:
        self.outcomes: list[Outcome] = []
        self._seconds, self._reply = seconds, reply
        self._patches = ExitStack()
        self._recorder = Recorder(reply)
        self._open: Outcome | None = None
        self._given_up = False
        # Not a SimpleQueue, which would stop every greenlet of a process that gevent has patched.
        self._news: Queue[BaseException | Literal["begin", "end"]] = Queue()

    def run(self, work: Callable[[], None]) -> list[Outcome]:
        """Do the work in a thread that begins without a context, and give it up where a step of it takes too long.

        Raises what the work raises, and PropagationError where an app does not start in time.
        """

        def main() -> None:
            try:
                work()
            except _GivenUp:
                pass
            except BaseException as error:  # noqa: BLE001  # it goes to the caller's thread
                self._news.put(error)
            else:
                self._news.put("end")

        # A daemon, so that an app which never ends does not keep the program from ending.
        Thread(target=Variables().run, args=(main,), daemon=True).start()
        try:
            self._wait()
        finally:
            self._given_up = True
            self._patches.close()
        return list(self.outcomes)

    @contextmanager
    def requests(self) -> Iterator[None]:
        """In the block, every connection ends at a recorder."""
        with self._patches:
            self._recorder = self._patches.enter_context(recording(self._reply))
            for name in _ATTACHING:
                module = import_module(name)
                self._patches.enter_context(patch.object(module, "attach", self._noting(module.attach)))
            yield
        self._begin()

    @contextmanager
    def request(self) -> Iterator[Outcome]:
        """The outcome of the request that is sent in the block."""
        self._begin()
        outcome = self._open = Outcome(get_current(), get_current())
        self.outcomes.append(outcome)
        try:
            yield outcome
        except NotAnApp:
            raise
        except Exception as raised:  # noqa: BLE001  # that an app fails is an outcome
            outcome.error = raised
        outcome.after = get_current()
        self._collect(outcome)
        self._open = None

    def _begin(self) -> None:
        if self._given_up:
            raise _GivenUp
        self._news.put("begin")

    def _wait(self) -> None:
        news: BaseException | str = "begin"
        while news == "begin":
            try:
                news = self._news.get(timeout=self._seconds + _GRACE)
            except Empty:
                self._give_up()
                return
        if isinstance(news, SystemExit):  # its code would become ours
            raise PropagationError(f"the app ends the program: {news!r}")
        if isinstance(news, BaseException):
            raise news

    def _give_up(self) -> None:
        if not self.outcomes:
            raise PropagationError(f"the app did not start within {self._seconds:g} s")
        if self._open is not None:  # else it is only its shutdown that does not end
            self._open.error = TooSlow(self._seconds, given_up=True)
            self._collect(self._open)

    def _collect(self, outcome: Outcome) -> None:
        outcome.calls += self._recorder.take()
        outcome.unread += self._recorder.take_unread()

    def _noting(self, attach: Any) -> Any:
        def noting(context: Context) -> Any:
            if self._open is not None:
                self._open.attached.append(context)
            return attach(context)

        return noting
