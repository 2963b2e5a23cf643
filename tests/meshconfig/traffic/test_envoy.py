"""Flows from Envoy's own metrics: what they say and cannot say, a real Envoy's names, a real Prometheus' answers."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from broker_process import free_port
from carried_chains import shop
from recorded_prometheus import Recorded, recorded
from static_envoy import cluster, envoy, listener

from meshconfig.carry import Workload
from meshconfig.carry.metrics import UNKNOWN
from meshconfig.exchange.allowed import Allowed
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.rollout.prometheus import Prometheus
from meshconfig.traffic import Flow
from meshconfig.traffic.envoy import Callers, flows, names_pods, queries
from meshconfig.traffic.metrics import Answers, Queries

GROUP = shop()
FRONT, CART, STOCK = Workload("front", "gray"), Workload("cart", "gray"), Workload("stock", "prod")
REST = "demo.svc.cluster.local"
CALLERS = Callers({"demo/front-1": FRONT}, frozenset({"demo/front-1", "demo/loader-1"}), ("demo",))


def name(callee: Workload) -> str:
    return f"outbound|80|{callee.version}|{callee.service}"


def labels(pod: str, callee: Workload, *, whole: bool = False, **more: str) -> dict[str, str]:
    """As Istio's settings have a whole name, and Envoy's own a name up to the first dot."""
    namespace, _, called = pod.partition("/")
    if whole:
        return {"namespace": namespace, "pod_name": called, "cluster_name": f"{name(callee)}.{REST}", **more}
    return {"namespace": namespace, "pod": called, "envoy_cluster_name": name(callee), **more}


def found(**answers: Answers) -> dict[tuple[Workload | None, Workload], Flow]:
    given = {"": answers.get("whole", Answers([], [], [])), REST: answers.get("cut", Answers([], [], []))}
    return {(one.caller, one.callee): one for one in flows(GROUP, CALLERS, given)}


@pytest.mark.parametrize("whole", [True, False])
def test_an_edge_has_caller_callee_errors_and_p95_by_either_settings(whole: bool) -> None:
    edge = labels("demo/front-1", CART, whole=whole)
    answers = Answers([(edge, 10.0)], [(edge, 1.0)], [(edge, 12.0)])
    (one,) = found(**{"whole" if whole else "cut": answers}).values()
    assert one == Flow(FRONT, CART, "gray", 10.0, 0.1, 12.0)


def test_the_lane_of_a_version_that_several_may_reach_is_not_guessed() -> None:
    assert found(cut=Answers([(labels("demo/front-1", STOCK), 3.0)], [], []))[FRONT, STOCK].lane == UNKNOWN


def test_pods_of_others_are_outside_and_one_that_has_ended_counts_for_nobody() -> None:
    pods = ("istio-system/gateway-1", "demo/loader-1", "demo/front-0", "/")
    answers = Answers([(labels(pod, FRONT), float(number + 1)) for number, pod in enumerate(pods)], [], [])
    assert found(cut=answers) == {(None, FRONT): Flow(None, FRONT, "gray", 3.0)}


@pytest.mark.parametrize(
    "cluster_name", ["inbound|80||", "outbound|80|gray|cart.other", "PassthroughCluster", "", "outbound|80|gray|alien"]
)
def test_clusters_of_others_are_no_edge(cluster_name: str) -> None:
    series = {"namespace": "demo", "pod": "front-1", "envoy_cluster_name": cluster_name}
    assert not found(cut=Answers([(series, 1.0)], [], []))


OUTSIDE = """
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: shop, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}}
  services:
    pay:
      host: pay.example.com
      port: 80
      external: {port: 443, tls: SIMPLE}
      versions: {prod: {host: pay.example.com}}
"""


def test_what_others_call_outside_the_mesh_is_not_shown() -> None:
    (group,) = groups(parse(OUTSIDE, "shop.yaml"))
    called = "outbound|443||pay.example.com"
    series = [
        ({"namespace": space, "pod": "a-1", "cluster_name": called}, rate)
        for space, rate in (("demo", 2.0), ("x", 5.0))
    ]
    callers = Callers({}, frozenset({"demo/a-1"}), ("demo",))
    (one,) = flows(group.spec, callers, {"": Answers(series, [], [])})
    assert (one.callee, one.rate) == (Workload("pay", "prod"), 2.0)


def test_only_clusters_of_the_group_are_asked_for() -> None:
    asked = queries(GROUP, 120)

    def takes(rest: str, cluster_name: str) -> bool:
        return all(
            any(re.fullmatch(pattern, cluster_name) for pattern in re.findall(r'cluster_name=~"([^"]+)"', one))
            for one in (asked[rest].requests, asked[rest].failed, asked[rest].p95)
        )

    assert takes("", f"{name(CART)}.{REST}")
    assert takes("", f"outbound|80||cart.{REST};")
    assert takes(REST, name(CART))
    assert not takes("", f"outbound|80||secret.{REST}")
    assert not takes("", "outbound|80||cartXdemo.svc.cluster.local")
    assert not takes(REST, "outbound|80||secret")


def test_series_without_their_pod_are_known_as_such() -> None:
    assert names_pods([])
    assert names_pods([(labels("demo/front-1", CART), 1.0)])
    assert not names_pods([({"cluster_name": name(CART)}, 1.0)])


def matched(text: str, one: Queries) -> set[str]:
    """The names in a text of metrics that a query would read."""
    (pattern,) = {found.group(1) for found in re.finditer(r'__name__=~"([^"]+)"', one.requests)}
    names = {line.partition("{")[0] for line in text.splitlines() if not line.startswith("#")}
    return {each for each in names if re.fullmatch(pattern, each)}


class _Failing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


ISTIO = {
    "use_all_default_tags": False,
    "stats_tags": [
        {"tag_name": "cluster_name", "regex": r"^cluster\.((.+?(\..+?\.svc\.cluster\.local)?)\.)"},
        {"tag_name": "response_code", "regex": r"_rq(_(\d{3}))$"},
        {"tag_name": "response_code_class", "regex": r"_rq(_(\dxx))$"},
    ],
}


@pytest.mark.slow
@pytest.mark.envoy
@pytest.mark.parametrize("delimiter", ["", ";"])
@pytest.mark.parametrize("settings", [{}, ISTIO], ids=["own", "istio"])
def test_a_real_envoy_has_the_names_that_are_asked_for(
    tmp_path: Path, settings: dict[str, object], delimiter: str
) -> None:
    host = f"{name(CART)}.{REST}"
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Failing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port, admin = free_port(), free_port()
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": host}}]
    where = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}}
    called = cluster(host, server.server_port, **({"alt_stat_name": host + delimiter} if delimiter else {}))
    with envoy(tmp_path, [listener("l", port, routes)], [called], admin=where, stats_config=settings):
        with pytest.raises(HTTPError):
            urlopen(f"http://127.0.0.1:{port}/", timeout=20)
        with urlopen(f"http://127.0.0.1:{admin}/stats/prometheus", timeout=20) as answer:
            text = answer.read().decode()
    server.shutdown()
    server.server_close()
    names = {rest: matched(text, one) for rest, one in queries(GROUP, 120).items()}
    cut = not (settings and not delimiter)
    (metric,) = names[REST if cut else ""]
    line = next(one for one in text.splitlines() if one.startswith(f"{metric}{{") and 'response_code="503"' in one)
    assert f'cluster_name="{name(CART) if cut else host}"' in line


@pytest.mark.slow
def test_the_queries_count_in_a_real_prometheus(tmp_path: Path) -> None:
    def counted(each: float, series: dict[str, str], metric: str) -> Recorded:
        return Recorded(series, [15.0 * each * one for one in range(41)], metric)

    own, istio = "envoy_cluster_demo_svc_cluster_local__upstream_rq", "envoy_cluster_upstream_rq"
    edge, entry = labels("demo/front-1", CART), labels("istio-system/gateway-1", FRONT, whole=True)
    series = [
        counted(6, {**edge, "envoy_response_code": "200"}, own),
        counted(4, {**edge, "envoy_response_code": "503"}, own),
        counted(2, {**entry, "response_code": "200"}, istio),
        counted(2, {**entry, "response_code_class": "2xx"}, istio),
        *(counted(n, {**edge, "le": le}, f"{own}_time_bucket") for le, n in (("10", 0), ("20", 10), ("+Inf", 10))),
    ]
    with recorded(tmp_path, series) as url:
        server = Prometheus(url, Allowed.of([url.removeprefix("http://")]))
        answers = {
            rest: Answers(*(server.series(query) for query in (one.requests, one.failed, one.p95)))
            for rest, one in queries(GROUP, 300).items()
        }
        server.close()
    edges = {(one.caller, one.callee): one for one in flows(GROUP, CALLERS, answers)}
    assert set(edges) == {(FRONT, CART), (None, FRONT)}
    assert edges[FRONT, CART].rate == pytest.approx(10, rel=0.02)
    assert edges[FRONT, CART].errors == pytest.approx(0.4, rel=0.02)
    assert edges[FRONT, CART].p95 == pytest.approx(19.5, rel=0.02)
    assert edges[None, FRONT].rate == pytest.approx(2, rel=0.02)
