"""The Pods and the real proxies with which the answers of `explain` are compared in a cluster."""

import json
from http.client import HTTPConnection, HTTPException
from typing import Any

from foreign_manifests import AWAY, BARE, HOME, Inside, Outside, kind
from mesh_cluster import gateway_address, kubectl


def pods(app: str, version: str, namespace: str = HOME) -> dict[str, Any]:
    labels = {"app": app, "version": version}
    arguments = [f"--name={app}", f"--env={version}", "--port=9001"]
    container = {"name": "app", "image": "graylane-test-backend", "args": arguments, "ports": [{"containerPort": 9001}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return kind("Deployment", f"{app}-{version}", spec, namespace, "apps/v1")


class Mesh:
    """The real one: the gateway's address, and those of Pods and Services."""

    def __init__(self) -> None:
        self.gateway = gateway_address().partition(":")[0]
        found = json.loads(kubectl("get", "pods,services", "-A", "-o", "json").stdout)["items"]
        own = [one for one in found if one["metadata"]["namespace"] in (HOME, AWAY, BARE)]
        self.probes = {
            one["metadata"]["namespace"]: one["status"]["podIP"]
            for one in own
            if one["kind"] == "Pod" and one["metadata"]["labels"]["app"] == "probe"
        }
        labelled = (one for one in own if one["metadata"].get("labels", {}).get("app") == "web")
        self.pod = next(one["status"]["podIP"] for one in labelled)
        self.services = {
            f"{one['metadata']['name']}.{one['metadata']['namespace']}": one["spec"].get("clusterIP")
            for one in own
            if one["kind"] == "Service"
        }

    def ask(self, one: Outside | Inside) -> tuple:
        if isinstance(one, Outside):
            return self.seen(*self.send(self.gateway, one.port, one.method, one.path, one.headers, one.host))
        name = one.dial if "." in one.dial else f"{one.dial}.{HOME}"
        address = self.pod if one.dial == "pod" else self.services[name]
        asked = [
            ("x-ask", f"{one.method} http://{address}:{one.port}{one.path}"),
            ("x-ask-headers", json.dumps([list(pair) for pair in one.headers])),
            ("x-ask-host", f"{one.host}:{one.port}"),
        ]
        status, body, _ = self.send(self.probes[one.namespace], 9001, "GET", "/", asked, "probe")
        assert status == 200, (one, status, body)
        reply = json.loads(body)
        return self.seen(reply["status"], reply["body"], "")

    def send(self, address, port, method, path, headers, host) -> tuple[int, str, str]:
        connection = HTTPConnection(address, port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host=True)
            connection.putheader("Host", host if port in (80, 9001) else f"{host}:{port}")
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            return response.status, response.read().decode(), response.getheader("location") or ""
        except (OSError, HTTPException) as error:
            return 0, repr(error), ""
        finally:
            connection.close()

    @staticmethod
    def seen(status: int, body: str, location: str) -> tuple:
        """(status, workload, path) of what answered; the location of a redirect in place of the path."""
        if status != 200:
            return status, "", location
        said = json.loads(body)
        return status, f"{HOME}/{said['service']}-{said['version']}", said["path"]  # Python's server takes // for /
