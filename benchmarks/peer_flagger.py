"""Flagger: a Canary for each service, judged by a MetricTemplate on a real Prometheus, which scrapes the Envoys.

Stock Envoys have no `istio_requests_total`, which Flagger's own metrics read; so the template asks for Envoy's.
https://docs.flagger.app/tutorials/istio-progressive-delivery
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit_log import Event
from load_mesh import apply
from mesh_cluster import Manifest, kubectl, until
from mesh_namespace import manifest, surroundings
from peer_mesh import CHAIN, PATIENCE, PAUSE, PORT, VERSIONS, WEIGHTS, gateway, host, read, workload
from prometheus_server import open_stats, prometheus

API = "flagger.app/v1beta1"
ENTRANCE = "istio-system"
INTERVAL = "20s"
# Envoy ends the cluster's name at its first dot, and leaves the rest in the name of the metric.
ANSWERS = '__name__=~"envoy_cluster_%s_svc_cluster_local_+upstream_rq_xx",envoy_cluster_name="outbound|%d||%s"'


class Flagger:
    name, namespace = "Flagger", "peers-flagger"

    def is_caller(self, event: Event) -> bool:
        return "flagger" in event.get("userAgent", "")

    @contextmanager
    def ready(self, folder: Path) -> Iterator[None]:
        stats = open_stats(ENTRANCE, gateway=True)
        apply([*surroundings(self.namespace, (), PORT), gateway(self.namespace), open_stats(self.namespace), stats])
        with prometheus((self.namespace, ENTRANCE), folder) as server:
            self._apply(VERSIONS[0])
            apply([self._template(server.url), *map(self._canary, CHAIN)])
            until(lambda: self._phases() == {"Initialized"}, "Flagger: its Canaries", 3 * PATIENCE)
            yield
        kubectl("delete", "envoyfilter", stats["metadata"]["name"], "-n", ENTRANCE)

    def move(self, old: str, new: str) -> None:
        self._apply(new)

    def moved(self, new: str) -> bool:
        """Flagger copies the new version into Deployments `…-primary`, and says Succeeded after that."""
        found = [read("deployments", f"{service}-primary", self.namespace) for service in CHAIN]
        args = [one["spec"]["template"]["spec"]["containers"][0]["args"] for one in found]
        return all(f"--env={new}" in one for one in args) and self._phases() == {"Succeeded"}

    def _phases(self) -> set[str]:
        found = [read("canaries.flagger.app", service, self.namespace) for service in CHAIN]
        return {one.get("status", {}).get("phase", "") for one in found}

    def _apply(self, version: str) -> None:
        apply(
            manifest(self.namespace, "apps/v1", "Deployment", one, spec=workload(self.namespace, one, version))
            for one in CHAIN
        )

    def _canary(self, service: str) -> Manifest:
        outside = service == CHAIN[0]
        reached = {"gateways": ["entry"], "hosts": [host(self.namespace)]} if outside else {"gateways": ["mesh"]}
        ports = {"port": PORT, "targetPort": PORT, "portName": "http"}
        metric = {"name": "success", "templateRef": {"name": "success"}, "interval": INTERVAL}
        spec = {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": service},
            "service": {"name": f"{service}-svc", **ports, **reached},
            "analysis": {
                "interval": f"{PAUSE}s",
                "threshold": 10,
                "stepWeights": list(WEIGHTS),
                "metrics": [{**metric, "thresholdRange": {"min": 99}}],
            },
        }
        return manifest(self.namespace, API, "Canary", service, spec=spec)

    def _template(self, address: str) -> Manifest:
        """The share of answers without a server error, in percent."""
        answers = ANSWERS % (self.namespace.replace("-", "_"), PORT, "{{ target }}-svc-canary")
        good, every = (
            f"sum(rate({{{answers}{more}}}[{{{{ interval }}}}]))" for more in (',envoy_response_code_class!="5"', "")
        )
        spec = {"provider": {"type": "prometheus", "address": address}, "query": f"100 * {good} / {every}"}
        return manifest(self.namespace, API, "MetricTemplate", "success", spec=spec)
