"""The pages Graph and Carry: what they show, of what, and to whom."""

import time
from typing import Any

import pytest
from carried_chains import shop
from console_pets import CALL, forbid, put_pets, words
from console_world import PUBLIC, Browser, api_server, by_kubeconfig

from meshconfig.console import Settings, create_app
from meshconfig.console.observed import FromLogs, FromMetrics
from meshconfig.console.observed.from_metrics import REFRESH
from meshconfig.console.observed.observer import Pods
from meshconfig.console.sources.access import ByToken
from meshconfig.otlp import Intake, LogRecord
from meshconfig.rollout.prometheus import Prometheus

ENTRY = {**CALL, "cluster": "inbound|9001||"}


@pytest.fixture
def api():
    with api_server() as one:
        put_pets(one)
        yield one


@pytest.fixture
def observer():
    return FromLogs(Intake())


@pytest.fixture
def browser(api, tmp_path, monkeypatch, observer):
    with by_kubeconfig(api, tmp_path, monkeypatch, observer=observer) as one:
        yield one


def later(monkeypatch, seconds):
    now, mono = time.time, time.monotonic
    monkeypatch.setattr(time, "time", lambda: now() + seconds)
    monkeypatch.setattr(time, "monotonic", lambda: mono() + seconds)


def test_the_graph_has_each_edges_figures_as_a_picture_and_as_a_table(browser, observer, monkeypatch):
    assert "No requests" in words(browser.get("/g/demo/pets/graph").text)
    at = time.time() + 2
    observer.add([LogRecord(at, {**CALL, "duration": "20", "code": "503"}), LogRecord(at, ENTRY)] * 30)
    later(monkeypatch, 9)
    answer = browser.get("/g/demo/pets/graph")
    assert "gray cat/v2 mouse/v2 " in words(answer.text)
    assert "100 %" in words(answer.text)
    assert "from outside cat/v2" in words(answer.text)
    assert 'role="img"' in answer.text
    assert "100 % errors" in answer.text


def test_one_lane_alone_can_be_shown(browser):
    text = browser.get("/g/demo/pets/graph?lane=gray").text
    assert "<option selected>gray</option>" in text
    assert "/graph/live?lane=gray" in text
    assert "<option selected>" not in browser.get("/g/demo/pets/graph?lane=%22%3E%3Cb%3E").text


def test_without_a_source_of_figures_the_page_says_how_to_get_them(api, tmp_path, monkeypatch):
    with by_kubeconfig(api, tmp_path, monkeypatch) as browser:
        for page in ("graph", "carry"):
            text = browser.get(f"/g/demo/pets/{page}").text
            assert "--otlp-listen" in words(text)
            assert "data-live" not in text


@pytest.mark.parametrize("page", ["graph", "carry"])
def test_who_may_not_list_the_namespaces_groups_sees_no_traffic(browser, api, page):
    assert browser.get(f"/g/demo/pets/{page}").status_code == 200
    api.before.append(forbid(lambda method, path: path.partition("?")[0].endswith("/namespaces/demo/lanegroups")))
    assert browser.get(f"/g/demo/pets/{page}").status_code == 403


@pytest.mark.parametrize("page", ["graph", "carry"])
def test_who_may_not_list_pods_sees_no_traffic_also_while_somebody_else_looks(api, observer, page):
    """The console reads Pods anew after some seconds: by the right of each who looks, and of none for another."""
    access = ByToken(api.url)
    app = create_app(Settings.behind_proxy(PUBLIC), access, observer=observer)
    ann, bob = (Browser(app, PUBLIC, Authorization=f"Bearer {name}") for name in ("ann", "bob"))
    assert ann.get(f"/g/demo/pets/{page}").status_code == 200
    api.before.append(forbid(lambda method, path: path.partition("?")[0].endswith("/pods")))
    assert bob.get(f"/g/demo/pets/{page}").status_code == 403
    assert ann.get(f"/g/demo/pets/{page}").status_code == 200


def test_carry_names_the_calls_that_lost_the_tag_and_hostile_paths_are_text(browser, observer):
    browser.get("/g/demo/pets/carry")
    now = time.time()
    lost = {**CALL, "tag": "-", "path": "/<script>alert(1)</script>\u202egnp", "request_id": "r1"}
    observer.add([LogRecord(now, {**ENTRY, "request_id": "r1"}), LogRecord(now, lost)])
    text = browser.get("/g/demo/pets/carry").text
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert "/<script>alert(1)</script>" in words(text)
    assert "Lost by cat/v2" in words(text)
    assert "to mouse: 1 of 1 calls" in words(text)
    assert "none, for gray" in words(text)


def test_nothing_is_counted_for_a_group_that_nobody_has_looked_at(observer):
    observer.add([LogRecord(time.time(), CALL)])
    assert not observer._watches


def test_a_record_that_cannot_be_read_does_not_end_the_counting(browser, observer, monkeypatch):
    browser.get("/g/demo/pets/graph")
    at = time.time() + 2
    observer.add([LogRecord(at, None), *[LogRecord(at, {**CALL, "code": "200"})] * 30])
    later(monkeypatch, 9)
    assert "gray cat/v2 mouse/v2 " in words(browser.get("/g/demo/pets/graph").text)


class Told(Prometheus):
    """Stands for a Prometheus: the series of each query by a word that is in it."""

    def __init__(self, **series):
        self._series = series

    def series(self, promql):
        return next((found for word, found in self._series.items() if word in promql), [])


def test_without_istios_metrics_envoys_own_are_shown_and_what_they_cannot_say(api, tmp_path, monkeypatch):
    sent = {"namespace": "demo", "pod": "cat-v2-1"}
    edges = [
        ({**sent, "cluster_name": f"outbound|9001|{called}-svc.demo.svc.cluster.local"}, rate)
        for called, rate in (("v2|mouse", 4.0), ("prod|dog", 3.0))
    ]
    server = Told(**{'"envoy_cluster_upstream_rq",response_code!=""': edges})
    with by_kubeconfig(api, tmp_path, monkeypatch, observer=FromMetrics(server)) as browser:
        said = words(browser.get("/g/demo/pets/graph").text)
    assert "gray cat/v2 mouse/v2 4" in said
    assert "(lane not known) cat/v2 dog/prod 3" in said
    assert "Envoy's own metrics" in said


def test_a_group_without_requests_is_not_said_to_be_counted_by_envoys_own(api, tmp_path, monkeypatch):
    with by_kubeconfig(api, tmp_path, monkeypatch, observer=FromMetrics(Told())) as browser:
        assert "Envoy's own metrics" not in words(browser.get("/g/demo/pets/graph").text)


def test_pods_of_a_group_that_nobody_looks_at_do_not_stay_in_memory(monkeypatch):
    monkeypatch.setattr(Pods, "read", lambda source, group: Pods({}, {}))
    source: Any = Told()
    observer, group = FromMetrics(Told()), shop()
    for name in ("one", "other", "third"):
        metadata = group.metadata.model_copy(update={"name": name})
        observer._pods_of(source, group.model_copy(update={"metadata": metadata}))
        later(monkeypatch, REFRESH + 1)
    assert [ref.name for ref in observer._pods[source]] == ["third"]


@pytest.mark.parametrize(
    ("series", "said"),
    [
        ({"istio_requests_total": [({"source_workload": "cat-v2"}, 1.0)]}, "no label lane"),
        ({"envoy_cluster_upstream_rq": [({"cluster_name": "outbound|9001|v2|x"}, 1.0)]}, "no labels namespace and pod"),
    ],
)
def test_series_without_the_labels_that_they_need_are_an_error_that_says_so(api, tmp_path, monkeypatch, series, said):
    with by_kubeconfig(api, tmp_path, monkeypatch, observer=FromMetrics(Told(**series))) as browser:
        answer = browser.get("/g/demo/pets/graph")
    assert answer.status_code == 409
    assert said in words(answer.text)
