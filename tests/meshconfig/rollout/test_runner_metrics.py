"""What Prometheus and the kubelet get of a runner, over HTTP."""

import gzip
import socket
import threading
from datetime import timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from rollout_world import Run, rollout

from meshconfig.errors import InputError
from meshconfig.rollout.analysis import Answer, Reading
from meshconfig.rollout.events import Abort, Approve
from meshconfig.rollout.overview import Overview
from meshconfig.rollout.runner.metrics import ENDED, SILENCE, Metrics, Tried, serve
from meshconfig.rollout.state import Stage

OPEN = "application/openmetrics-text; version=1.0.0"
LABELS = {"namespace": "demo", "name": "cat-v2"}


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def show(metrics, *states):
    metrics.states([Overview.of(one) for one in states])


@pytest.fixture
def metrics(clock):
    return Metrics(clock)


@pytest.fixture
def ask(metrics):
    """The status, the headers and the text of a GET."""
    with serve(0, metrics, "127.0.0.1") as port:

        def get(path, **headers):
            try:
                answer = urlopen(Request(f"http://127.0.0.1:{port}{path}", headers=headers), timeout=10)
            except HTTPError as error:
                answer = error
            with answer:
                return answer.status, answer.headers, answer.read()

        yield get


@pytest.fixture
def value(ask):
    """A series' value; None where it is not there."""

    def find(series, /, **labels):
        status, _, text = ask("/metrics")
        assert status == 200
        found = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in parser.text_string_to_metric_families(text.decode())
            for sample in family.samples
        }
        return found.get((series, frozenset(labels.items())))

    return find


def begun(name="cat-v2"):
    state = Run().start().state
    metadata = state.rollout.metadata.model_copy(update={"name": name})
    return state.model_copy(update={"rollout": state.rollout.model_copy(update={"metadata": metadata})})


def test_a_rollout_is_shown_with_its_group_phase_weight_and_step(metrics, value):
    show(metrics, begun())
    assert value("graylane_rollout_info", group="pets", **LABELS) == 1
    assert value("graylane_rollout_phase", phase="Progressing", **LABELS) == 1
    assert value("graylane_rollout_phase", phase="Paused", **LABELS) == 0
    assert value("graylane_rollout_weight", **LABELS) == 0
    assert value("graylane_rollout_step", **LABELS) == 0
    assert value("graylane_rollout_steps", **LABELS) == 5


def test_the_weight_is_the_one_in_force_not_the_one_asked_for(metrics, value):
    state = begun()
    assert state.weight == 10
    show(metrics, state)
    assert value("graylane_rollout_weight", **LABELS) == 0
    show(metrics, state.model_copy(update={"applied": 10}))
    assert value("graylane_rollout_weight", **LABELS) == 10


def test_each_rollout_is_in_one_phase(metrics, ask):
    show(metrics, begun(), begun("mouse-v2"))
    families = parser.text_string_to_metric_families(ask("/metrics")[2].decode())
    (phases,) = [one.samples for one in families if one.name == "graylane_rollout_phase"]
    assert [(one.labels["name"], one.labels["phase"]) for one in phases if one.value] == [
        ("cat-v2", "Progressing"),
        ("mouse-v2", "Progressing"),
    ]
    assert len(phases) == 14


def test_a_rollout_that_is_gone_is_shown_no_more(metrics, value):
    state, other = begun(), begun("mouse-v2")
    show(metrics, state, other)
    for one in (state, other):
        metrics.transition(one, one.log[-1])
    show(metrics, other)
    assert value("graylane_rollout_weight", **LABELS) is None
    assert value("graylane_rollout_transitions_total", action="take up", **LABELS) is None
    assert value("graylane_rollout_transitions_total", namespace="demo", name="mouse-v2", action="take up") == 1


def aborted():
    return Run().start().send(Abort("Ann")).until(Stage.ABORTED).state


def test_an_end_is_shown_for_an_hour_though_the_runner_looks_no_more(metrics, clock, value):
    show(metrics, begun())
    state = aborted()
    metrics.transition(state, state.log[-1])
    for _ in range(2):
        show(metrics)
        assert value("graylane_rollout_phase", phase="Aborted", **LABELS) == 1
        assert value("graylane_rollout_transitions_total", action="pods ready", **LABELS) == 1
        clock.now += ENDED
    clock.now += 1
    show(metrics)
    assert value("graylane_rollout_phase", phase="Aborted", **LABELS) is None
    assert value("graylane_rollout_transitions_total", action="pods ready", **LABELS) is None


def test_what_was_read_before_an_end_does_not_hide_it(metrics, value):
    state = aborted()
    metrics.transition(state, state.log[-1])
    show(metrics, begun())
    assert value("graylane_rollout_phase", phase="Aborted", **LABELS) == 1


def test_the_next_of_a_name_takes_the_place_of_one_that_ended(metrics, value):
    show(metrics, aborted())
    after = begun()
    show(metrics, after.model_copy(update={"begun": after.begun + timedelta(hours=1)}))
    assert value("graylane_rollout_phase", phase="Aborted", **LABELS) == 0
    assert value("graylane_rollout_phase", phase="Progressing", **LABELS) == 1


def test_transitions_are_counted_by_what_was_done(metrics, value):
    state = begun()
    for entry in state.log:
        metrics.transition(state, entry)
    assert value("graylane_rollout_transitions_total", action="start", **LABELS) == 1
    assert value("graylane_rollout_transitions_total", action="take up", **LABELS) == 1


def test_a_whole_life_has_few_actions_whatever_its_weights_and_people(metrics, ask):
    steps = [*({"weight": weight} for weight in range(1, 100)), {"pause": {}}, {"weight": 100}]
    one = Run(rollout(steps)).start()
    while not one.state.phase.final:
        if not one.obey():
            one.send(Approve("Ann", "no label of this"))
    for entry in one.state.log:
        metrics.transition(one.state, entry)
    families = parser.text_string_to_metric_families(ask("/metrics")[2].decode())
    (family,) = [found for found in families if found.name == "graylane_rollout_transitions"]
    words = {found.labels["action"] for found in family.samples}
    assert words == {"pods ready", "weight", "approve", "taken over", "time over", "old retired"}


def test_measurements_are_counted_by_answer(metrics, value):
    for answer in (Answer.PASS, Answer.PASS, Answer.NO_DATA):
        metrics.measured(Reading(metric="success", service="cat", answer=answer))
    assert value("graylane_rollout_measurements_total", metric="success", answer="pass") == 2
    assert value("graylane_rollout_measurements_total", metric="success", answer="no data") == 1


def test_errors_are_counted_and_begin_at_0(metrics, value):
    assert value("graylane_rollout_errors_total", what="webhook") == 0
    metrics.failed(Tried.WEBHOOK)
    assert value("graylane_rollout_errors_total", what="webhook") == 1


def test_who_loses_the_lease_shows_no_rollouts(metrics, value):
    metrics.leading(True)
    state = begun()
    show(metrics, state)
    metrics.transition(state, state.log[-1])
    assert value("graylane_rollout_leader") == 1
    metrics.leading(False)
    assert value("graylane_rollout_leader") == 0
    assert value("graylane_rollout_weight", **LABELS) is None
    assert value("graylane_rollout_transitions_total", action="take up", **LABELS) is None


def test_the_format_is_the_one_asked_for(metrics, ask):
    show(metrics, begun())
    _, headers, text = ask("/metrics", Accept=OPEN)
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert {one.name for one in text_string_to_metric_families(text.decode())} >= {"graylane_rollout_phase"}
    _, headers, text = ask("/metrics?name[]=graylane_rollout_leader", **{"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(text).decode().splitlines()[-1] == "graylane_rollout_leader 0.0"


def test_the_page_names_each_metric(metrics, ask):
    page = (Path(__file__).parents[3] / "docs" / "rollouts.md").read_text()
    families = parser.text_string_to_metric_families(ask("/metrics")[2].decode())
    total = {one.name: f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    named = [name for family, name in total.items() if not family.endswith("_created")]
    assert named
    assert [name for name in named if f"`{name}`" not in page] == []


def test_two_runners_in_one_process_count_apart(metrics, value):
    Metrics().failed(Tried.APPLY)
    assert value("graylane_rollout_errors_total", what="apply") == 0


def test_healthy_while_the_loop_goes_round(metrics, clock, ask):
    clock.now += SILENCE  # it may begin slowly
    assert ask("/healthz")[::2] == (200, b"ok\n")
    metrics.alive()
    clock.now += SILENCE
    assert ask("/healthz")[0] == 200
    clock.now += 15
    assert ask("/healthz")[::2] == (503, b"the runner's loop has not gone round for 75 s; the limit is 60 s\n")
    metrics.alive()
    assert ask("/healthz")[0] == 200


def test_who_waits_for_the_lease_is_healthy(metrics, ask):
    metrics.leading(False)
    metrics.alive()
    assert ask("/healthz")[0] == 200


@pytest.mark.parametrize("path", ["/", "/metrics/more", "/healthz/..", "/favicon.ico"])
def test_there_is_nothing_else(ask, path):
    assert ask(path)[0] == 404


def test_a_client_that_says_nothing_holds_nobody_up(metrics):
    with serve(0, metrics, "127.0.0.1") as port, socket.create_connection(("127.0.0.1", port)):
        assert urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).read() == b"ok\n"


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_without_a_host_it_answers_on_ipv4_and_ipv6(metrics):
    with serve(0, metrics) as port:
        for host in ("127.0.0.1", "[::1]"):
            assert urlopen(f"http://{host}:{port}/healthz", timeout=5).read() == b"ok\n"


def test_after_its_end_the_port_is_free_and_no_thread_is_left(metrics):
    before = threading.active_count()
    with serve(0, metrics, "127.0.0.1") as port:
        pass
    with serve(port, metrics, "127.0.0.1"):
        pass
    assert threading.active_count() == before


def test_a_port_that_cannot_be_had_is_said(metrics):
    with serve(0, metrics, "127.0.0.1") as taken:
        for port in (taken, 70000):
            with pytest.raises(InputError, match=f"port {port} for metrics: "), serve(port, metrics, "127.0.0.1"):
                pass
