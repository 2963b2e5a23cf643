"""The chart's alerts and its dashboard ask for series that the controller has, and a real Prometheus answers them."""

import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from textwrap import indent

import pytest
import yaml
from mesh_cluster import until
from monitored import BadDay
from prometheus_client import parser
from prometheus_server import Prometheus
from recorded_prometheus import serving

from meshconfig.rollout.runner.metrics import serve
from meshconfig.rollout.state import Phase, Stage

HERE = Path(__file__).parent
FILES = HERE.parents[1] / "k8s" / "chart" / "files"
OPERATOR = FILES.parents[1] / "controller" / "monitoring" / "rules.yaml"
RULES = yaml.safe_load((FILES / "rules.yaml").read_text())["groups"][0]["rules"]
ALERTS = {rule["alert"]: rule["expr"] for rule in RULES}
DASHBOARD = json.loads((FILES / "dashboard.json").read_text())
PANELS = {one["title"]: [asked["expr"] for asked in one["targets"]] for one in DASHBOARD["panels"] if "targets" in one}
QUERIES = [*ALERTS.values(), *(query for queries in PANELS.values() for query in queries)]
NAMES = re.compile(r"\bgraylane_\w+")
SILENT = {"GraylaneControllerAbsent"}  # on that day
NEVER_SILENT = {"GraylaneDriftAgainAndAgain"}
needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")), reason="needs Debian's package prometheus"
)


def test_the_manifest_for_the_operator_has_the_rules_golden():
    """`make golden` writes it anew."""
    head = (
        "# Made of k8s/chart/files/rules.yaml; `make golden` writes it anew.\n"
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n"
        "metadata: {name: graylane-controller, namespace: graylane-system}\nspec:\n"
    )
    rules = (FILES / "rules.yaml").read_text().partition("groups:")
    text = head + indent("groups:" + rules[2], "  ")
    if os.environ.get("GRAYLANE_GOLDEN") == "rewrite":
        OPERATOR.write_text(text)
    assert OPERATOR.read_text() == text


def concrete(query):
    """A panel's query as Grafana sends it."""
    found = query.replace("$namespace", ".*").replace("$__rate_interval", "10s")
    assert "$" not in found
    return found


@pytest.fixture(scope="module")
def series():
    day = BadDay()
    day.goes_on()
    found = {}
    for family in parser.text_string_to_metric_families(day.page()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


@pytest.mark.parametrize("query", QUERIES)
def test_each_query_asks_for_metrics_and_labels_that_there_are(query, series):
    names = NAMES.findall(query)
    assert names
    for name in names:
        assert name in series, name
    labels = {label for name in names for sample in series[name] for label in sample}
    asked = {name for group in re.findall(r"by \(([^)]*)\)", query) for name in group.split(", ")}
    matched = set(re.findall(r"(\w+)=~?\"", query))
    assert asked | matched <= labels


def test_the_values_that_a_query_names_are_those_of_the_code():
    def named(metric, label):
        found = re.findall(rf'{metric}\{{[^}}]*\b{label}=~?"([^"]*)"', " ".join(QUERIES))
        return {value for one in found for value in one.split("|")}

    stages, phases = named("graylane_rollout_stage", "stage"), named("graylane_rollout_phase", "phase")
    assert stages
    assert phases
    assert stages <= {one.value for one in Stage}
    assert phases <= {one.value for one in Phase}


def test_each_metric_of_the_controller_is_on_the_dashboard(series):
    shown = set(NAMES.findall(json.dumps(PANELS)))
    # A histogram has its sum and count besides, a counter when it began; the group of a rollout stands in its name.
    known = {name for name in series if not name.endswith(("_sum", "_count", "_created"))}
    assert known - shown == {"graylane_rollout_info"}


def test_each_metric_is_in_the_docs(series):
    docs = HERE.parents[1] / "docs"
    text = (docs / "controller.md").read_text() + (docs / "rollouts.md").read_text()
    names = {name.removesuffix("_bucket") for name in series if not name.endswith(("_sum", "_count", "_created"))}
    assert [name for name in sorted(names) if name not in text] == []


def test_each_alert_is_in_the_docs():
    page = (HERE.parents[1] / "docs" / "install.md").read_text()
    assert re.findall(r"^\| `(Graylane\w+)`", page, re.MULTILINE) == list(ALERTS)


def test_panels_have_places_of_their_own():
    places = [one["gridPos"] for one in DASHBOARD["panels"]]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({one["id"] for one in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@needs_prometheus
def test_promtool_takes_the_rules_and_they_fire_when_they_should_and_not_before():
    for command in (["check", "rules", str(FILES / "rules.yaml")], ["test", "rules", str(HERE / "alerts.yaml")]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    tested = yaml.safe_load((HERE / "alerts.yaml").read_text())["tests"]
    asked = [one for test in tested for one in test.get("promql_expr_test", ())]
    for fires in (True, False):
        found = {re.search('alertname="(.*?)"', one["expr"])[1] for one in asked if bool(one["exp_samples"]) is fires}
        assert found >= set(ALERTS) - (set() if fires else NEVER_SILENT)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """One that scrapes the controller's own page, on the bad day."""
    day, stop = BadDay(), threading.Event()

    def go_on():
        while not stop.wait(0.5):
            day.goes_on()

    worker = threading.Thread(target=go_on)
    worker.start()
    try:
        with serve(0, day.metrics, "127.0.0.1") as port:
            job = {"job_name": "graylane", "honor_labels": True, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
            config = {"global": every, "scrape_configs": [job], "rule_files": [str(FILES / "rules.yaml")]}
            with serving(tmp_path_factory.mktemp("prometheus"), config) as url:
                yield Prometheus(url)
    finally:
        stop.set()
        worker.join()


@needs_prometheus
@pytest.mark.slow
def test_a_real_prometheus_answers_each_query_and_each_alert_finds_its_reason(prometheus):
    for title, queries in PANELS.items():
        for query in queries:
            until(lambda query=query: numbers(prometheus.ask(concrete(query))), f"{title}: {query}")
    for name, query in ALERTS.items():
        if name not in SILENT:
            until(lambda query=query: prometheus.ask(query), name)
    assert prometheus.ask(ALERTS["GraylaneControllerAbsent"]) == []
    # The labels of a group are its own also where the target has one of that name: honor_labels.
    (stalled,) = prometheus.ask(ALERTS["GraylaneGroupStalled"])
    assert stalled["metric"] == {"namespace": "demo", "name": "bank"}
    (paused,) = prometheus.ask(ALERTS["GraylaneRolloutWithoutData"])
    assert paused["metric"] == {"namespace": "demo", "name": "no-data"}


def numbers(result):
    return [one for one in result if one["value"][1] != "NaN"]
