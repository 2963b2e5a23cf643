"""A runner's metrics for Prometheus, and its health, over HTTP.

Source: https://prometheus.io/docs/practices/naming/. No label holds free text that a person writes: the number of
series depends on the number of rollouts and of metrics alone.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from socketserver import TCPServer, ThreadingMixIn

from prometheus_client import CollectorRegistry, Counter, Gauge, MetricsHandler
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from meshconfig.errors import InputError
from meshconfig.printable import escape_line
from meshconfig.rollout.analysis import Reading
from meshconfig.rollout.overview import Overview
from meshconfig.rollout.state import LogEntry, Phase, State

SILENCE = 60.0  # seconds without a sign of life after which a runner is not healthy
ENDED = 3600.0  # seconds that a rollout's end is shown: a scrape may be minutes away, an alert has to last
CLIENT_TIMEOUT = 10.0  # seconds that a client may take to ask
ROLLOUT = ("namespace", "name")

Name = tuple[str, str]  # namespace, name


class Tried(StrEnum):
    """What did not succeed. The values of the label `what`."""

    APPLY = "apply"
    EVENT = "event"
    STATE = "state"
    WEBHOOK = "webhook"
    WORKER = "worker"


class Delivery(StrEnum):
    """What became of a message to a webhook. The values of the label `outcome`."""

    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


class Metrics:
    """The metrics of one runner. Each method may be called from any thread.

    Parameters:
        clock: gives seconds that only rise.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._alive = clock, clock()
        self.registry = CollectorRegistry()
        self._rollouts = _Rollouts(clock)
        self.registry.register(self._rollouts)
        self._leader = Gauge(
            "graylane_rollout_leader", "1 for the runner that drives the namespace's rollouts.", registry=self.registry
        )
        self._transitions = Counter(
            "graylane_rollout_transitions",
            "Entries of rollouts' logs that this runner saw, by action.",
            (*ROLLOUT, "action"),
            registry=self.registry,
        )
        self._measurements = Counter(
            "graylane_rollout_measurements",
            "Measurements of analyses, by answer: pass, fail, no data.",
            ("metric", "answer"),
            registry=self.registry,
        )
        self._errors = Counter(
            "graylane_rollout_errors",
            "Errors, by what was tried.",
            ("what",),
            registry=self.registry,
        )
        self._webhooks = Counter(
            "graylane_rollout_webhooks",
            "Messages to webhooks, by outcome: delivered, failed (after the last try), dropped (never tried).",
            ("outcome",),
            registry=self.registry,
        )
        # Each is there from the start: a counter that appears with its first error shows no increase.
        for what in Tried:
            self._errors.labels(what.value)
        for outcome in Delivery:
            self._webhooks.labels(outcome.value)

    def alive(self) -> None:
        """The runner's loop has gone round once more."""
        self._alive = self._clock()

    def unwell(self) -> str:
        """What is wrong; empty for nothing. A runner that waits for the Lease is as healthy as its holder."""
        silent = self._clock() - self._alive
        if silent <= SILENCE:
            return ""
        return f"the runner's loop has not gone round for {silent:.0f} s; the limit is {SILENCE:.0f} s"

    def leading(self, leads: bool) -> None:
        """Sets whether this runner holds the Lease. Without it, it shows no rollouts: another runner drives them."""
        self._leader.set(leads)
        if not leads:
            self._forget(self._rollouts.clear())

    def states(self, states: Sequence[Overview]) -> None:
        """Sets the namespace's rollouts. A rollout that is missing here is shown no longer; one that has ended is shown
        for an hour more."""
        self._forget(self._rollouts.replace(states))

    def transition(self, state: State, entry: LogEntry) -> None:
        seen = Overview.of(state)
        self._rollouts.see(seen)
        self._transitions.labels(*_name(seen), entry.action.kind.value).inc()

    def measured(self, reading: Reading) -> None:
        self._measurements.labels(escape_line(reading.metric), reading.answer.value).inc()

    def failed(self, what: Tried) -> None:
        self._errors.labels(what.value).inc()

    def delivery(self, outcome: Delivery, messages: int = 1) -> None:
        """Counts what became of messages; each one that did not arrive is an error too."""
        self._webhooks.labels(outcome.value).inc(messages)
        if outcome is not Delivery.DELIVERED:
            self._errors.labels(Tried.WEBHOOK.value).inc(messages)

    def _forget(self, gone: Iterable[Name]) -> None:
        for namespace, name in gone:
            self._transitions.remove_by_labels({"namespace": namespace, "name": name})


class _Rollouts(Collector):
    """Gauges that are made at each scrape, from the states of one moment, so that none outlives its rollout."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._shown: dict[Name, Overview] = {}
        self._gone: dict[Name, float] = {}  # ended, and not among the others since

    def see(self, state: Overview) -> None:
        """Keeps a state, unless a later one of the same rollout was seen: several threads read states."""
        with self._lock:
            self._see(state)

    def replace(self, states: Sequence[Overview]) -> list[Name]:
        """Sets all rollouts.

        Returns:
            The names of those that are shown no longer.
        """
        there, now = {_name(state) for state in states}, self._clock()
        with self._lock:
            for state in states:
                self._see(state)
            self._gone = {name: self._gone.get(name, now) for name in self._shown.keys() - there}
            over = [name for name, at in self._gone.items() if not self._ended(name) or now - at > ENDED]
            for name in over:
                del self._shown[name]
        return over

    def clear(self) -> list[Name]:
        with self._lock:
            over = list(self._shown)
            self._shown.clear()
        return over

    def _see(self, state: Overview) -> None:
        known = self._shown.get(_name(state))
        if known is None or state.age >= known.age:
            self._shown[_name(state)] = state

    def _ended(self, name: Name) -> bool:
        return self._shown[name].phase.final

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            states = list(self._shown.values())
        known = [(one, (one.group,), 1) for one in states]
        yield _gauge("info", "A rollout and its group.", ("group",), known)
        phases = [(one, (phase.value,), one.phase is phase) for one in states for phase in Phase]
        yield _gauge("phase", "1 for the phase that a rollout is in, 0 for all others.", ("phase",), phases)
        stages = [(one, (one.stage.value,), 1) for one in states]
        yield _gauge("stage", "1 for where exactly a rollout is in its phase.", ("stage",), stages)
        weights = [(one, (), one.applied) for one in states]
        yield _gauge("weight", "Percent of untagged requests that the new versions get.", (), weights)
        yield _gauge("step", "Steps that are done.", (), [(one, (), one.step) for one in states])
        yield _gauge("steps", "Steps in all.", (), [(one, (), one.steps) for one in states])


def _gauge(name: str, text: str, more: Sequence[str], found: Sequence[tuple[Overview, Sequence[str], float]]) -> Metric:
    """A gauge for each rollout, with more labels than those of the rollout."""
    family = GaugeMetricFamily(f"graylane_rollout_{name}", text, labels=(*ROLLOUT, *more))
    for state, labels, value in found:
        family.add_metric((*_name(state), *labels), value)
    return family


def _name(state: Overview) -> Name:
    return escape_line(state.namespace), escape_line(state.name)


@contextmanager
def serve(port: int, metrics: Metrics, host: str = "") -> Iterator[int]:
    """Answers GET /metrics, in the format that the client accepts, and /healthz, until the end of `with`.

    Parameters:
        port: 0 takes a free one. `with … as` gives the port.

    Raises:
        InputError: the port is taken, or this user may not listen on it.
    """
    handler = type("Handler", (_Handler,), {"metrics": metrics, "registry": metrics.registry})
    try:
        server = _Server(host, port, handler)
    except (OSError, OverflowError) as error:
        raise InputError.at("graylane", f"port {port} for metrics: {error}") from None
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="graylane-metrics", daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class _Handler(MetricsHandler):
    """Answers two paths. The handler of prometheus_client answers every path with the metrics."""

    timeout = CLIENT_TIMEOUT
    metrics: Metrics

    def do_GET(self) -> None:  # noqa: N802  http.server's name
        match self.path.partition("?")[0]:
            case "/metrics":
                super().do_GET()
            case "/healthz":
                wrong = self.metrics.unwell()
                self._say(503 if wrong else 200, wrong or "ok")
            case _:
                self._say(404, "not found: there are /metrics and /healthz")

    def _say(self, status: int, text: str) -> None:
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingMixIn, TCPServer):
    """A thread for each request. http.server's own class asks DNS for this machine's name when it starts."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, host: str, port: int, handler: type[_Handler]) -> None:
        # Without a host it listens on IPv4 and IPv6: the kubelet of an IPv6 cluster connects by IPv6.
        self._dual = not host and socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if self._dual or ":" in host else socket.AF_INET
        super().__init__((host, port), handler)

    def server_bind(self) -> None:
        if self._dual:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()
