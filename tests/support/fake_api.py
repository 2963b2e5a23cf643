"""An API server on loopback for tests without a cluster: objects with versions, compare-and-swap, labels to select by.

Deployments get their Pods at once, unless their image is in `stuck`, and at least as many as an autoscaler asks for.
Jobs succeed at once, unless their image is in `stuck` (they run) or in `broken` (they fail).
What is applied is kept as it was sent; everything is allowed. LaneGroups and Rollouts have a status of its own, as
their CustomResourceDefinitions say, and what has finalizers stays until they are gone; everything can be watched. Its
limits are those of what graylane asks: no validation, fields have no owners (but labels, with `owners`).
"""

import base64
import json
import re
import threading
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager, suppress
from copy import deepcopy
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from serving import LoopbackServer, serving

ISTIO = "/apis/networking.istio.io"
GRAYLANE = "/apis/graylane.dev/v1"
GATEWAY_API = "gateway.networking.k8s.io"
MOST = 1 << 20  # bytes of all values of a ConfigMap
WITH_STATUS = ("lanegroups", "rollouts", "lanes")  # kinds whose status is a subresource
WATCHED = 1.0  # seconds at most until a watch sees that the server is closed
ISTIO_KINDS = ("VirtualService", "DestinationRule", "Gateway")
PATH = re.compile(
    r"/apis?/(?P<api>.+?)/namespaces/(?P<space>[^/]+)/(?P<plural>[^/]+)(/(?P<name>[^/]+))?(/(?P<sub>.+))?"
)
EVERYWHERE = re.compile(r"/apis?/(?P<api>([^/]+/)?v[^/]+)/(?P<plural>[^/]+)")


class RefusedError(Exception):
    """`causes`: pairs of a field and what is said about it."""

    def __init__(self, status, reason, message, causes=()):
        super().__init__(message)
        self.status, self.reason, self.causes = status, reason, causes


class FakeApi:
    """`objects`: (plural, namespace, name) → the resource; `seen`: (method, path) of each request, in order."""

    def __init__(self):
        self.objects, self.seen, self.stuck, self.broken = {}, [], set(), set()
        self.lock, self.version = threading.RLock(), 0
        self.changed, self.events, self.closed = threading.Condition(self.lock), [], False
        self.before = []  # called with (method, path) before each request; a watch's method is WATCH
        self.fault: Callable[[str, str], Any] = lambda method, path: None  # a `faults.Fault` answers in its place
        self.past = deque(
            maxlen=1
        )  # `objects` as they were before the last few writes; `in_the_past` needs a longer one
        self.expired = 0  # so many times, the rest of a list has expired when it is asked for
        self.ending = set()  # namespaces that are being deleted: nothing new is made there
        self.owners = False  # whether labels that are applied have an owner from now on
        self.too_old = 0  # so many watches are told that their version is too old
        self.url = ""

    def kubeconfig(self, folder):
        file = folder / "kubeconfig"
        named = {"name": "fake"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{**named, "cluster": {"server": self.url}}],
            "users": [{**named, "user": {"token": "nobody"}}],
            "contexts": [{**named, "context": {"cluster": "fake", "user": "fake"}}],
        }
        file.write_text(json.dumps(config))
        return file

    def put(self, *manifests):
        """As they are, in the place of others of their names, unchecked."""
        for one in manifests:
            plural = _plural(f"{one['kind'].lower()}s", one.get("apiVersion", ""))
            self._store((plural, one["metadata"]["namespace"], one["metadata"]["name"]), deepcopy(one))

    def get(self, plural, name, namespace="demo"):
        return self.objects.get((plural, namespace, name))

    def names(self, plural, namespace="demo"):
        return {name for kind, space, name in self.objects if (kind, space) == (plural, namespace)}

    def answer(self, method, url, body):
        for hook in list(self.before):
            hook(method, url)
        with self.lock:
            self.seen.append((method, url))
            parts = urlsplit(url)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if fixed := _fixed(method, parts.path, body, self.ending):
                return fixed
            if method == "GET" and (found := EVERYWHERE.fullmatch(parts.path)):
                return self._list((_plural(found["plural"], found["api"]), None), query, found["api"])
            found = PATH.fullmatch(parts.path)
            if not found:
                raise RefusedError(404, "NotFound", f"nothing at {parts.path}")
            return self._do(method, found.groupdict(), query, body)

    def _do(self, method, place, query, body):
        key = (_plural(place["plural"], place["api"]), place["space"], place["name"])
        match method, bool(place["name"]), place["sub"]:
            case "GET", False, _:
                return self._list(key, query, place["api"])
            case "POST", False, _ if place["space"] in self.ending:
                raise RefusedError(403, "Forbidden", f"namespace {place['space']} is being terminated")
            case "POST", False, _:
                key = (*key[:2], body["metadata"]["name"])
                if key in self.objects:
                    raise RefusedError(409, "AlreadyExists", f"{key[2]} is there already")
                return self._keep(key, body)
            case "PATCH", True, None:
                if query.get("dryRun"):
                    return _merged(self.objects.get(key) or {}, body) if key[0] in WITH_STATUS else body
                if body["metadata"].get("resourceVersion"):
                    self._unchanged(key, body)
                if key[0] in WITH_STATUS:
                    return self._store(key, _merged(self.objects.get(key) or {}, {**body, "status": {}}))
                return self._keep(key, _owned(body, query) if self.owners else body)
            case "PATCH", True, "scale":
                live = self._there(key)
                return self._keep(key, {**live, "spec": {**live["spec"], **body["spec"]}})
            case "PATCH", True, "status":
                return self._store(key, _merged(self._there(key), {"status": body.get("status")}))
            case "PUT", True, "status":
                live = self._unchanged(key, body)
                return self._store(key, {**live, "status": body.get("status")})
            case "PUT", True, _ if key[0] in WITH_STATUS:
                live = self._unchanged(key, body)
                return self._store(key, {**body, **_status(live)})
            case "PUT", True, _:
                self._unchanged(key, body)
                return self._keep(key, body)
            case "GET", True, _:
                return self._there(key)
            case "DELETE", True, _:
                for name, value in ((body or {}).get("preconditions") or {}).items():
                    if value != self._there(key)["metadata"][name]:
                        raise RefusedError(409, "Conflict", f"the {name} in the precondition does not match")
                return self._delete(key)
        raise RefusedError(405, "MethodNotAllowed", f"{method} of {place}")

    def _unchanged(self, key, body):
        """What is there, of the version that the body was made from."""
        live = self._there(key)
        given = body["metadata"].get("resourceVersion")
        if given and given != live["metadata"]["resourceVersion"]:
            raise RefusedError(409, "Conflict", "the object has been modified")
        return live

    def _delete(self, key):
        live = self._there(key)
        if live["metadata"].get("finalizers"):
            gone = live["metadata"].get("deletionTimestamp") or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            return self._store(key, {**live, "metadata": {**live["metadata"], "deletionTimestamp": gone}})
        return self._remove(key)

    def _remove(self, key):
        gone = self.objects.pop(key)
        self.version += 1
        gone["metadata"]["resourceVersion"] = str(self.version)
        self._tell("DELETED", key, gone)
        return gone

    def _tell(self, change, key, one):
        with self.changed:
            self.events.append((self.version, change, key, deepcopy(one)))
            self.changed.notify_all()

    def watch(self, url):
        """The events behind a version, each as a line of JSON, until the client is gone or the server is closed."""
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        found = EVERYWHERE.fullmatch(parts.path) or PATH.fullmatch(parts.path)
        plural, space = _plural(found["plural"], found["api"]), found.groupdict().get("space")
        selector, after = query.get("labelSelector", ""), int(query.get("resourceVersion") or 0)
        if self.too_old:
            self.too_old -= 1
            said = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            yield json.dumps({"type": "ERROR", "object": said}).encode() + b"\n"
        while not self.closed:
            with self.lock:
                new = [one for one in self.events if one[0] > after]
                if not new:
                    self.changed.wait(WATCHED)
                    continue
            after = new[-1][0]
            for _, change, key, one in new:
                if key[0] == plural and space in (None, key[1]) and _named(key, query):
                    # A real server tells that an object has gone, where its labels are no longer those selected.
                    there = _selected(one["metadata"].get("labels") or {}, selector)
                    yield json.dumps({"type": change if there else "DELETED", "object": one}).encode() + b"\n"

    def in_the_past(self, do):
        """What `do` gives while the server has again what it had some writes ago."""
        with self.lock:
            now = self.objects
            self.objects = dict(self.past[0]) if self.past else now
            try:
                return do()
            finally:
                self.objects = now

    def _there(self, key):
        if key not in self.objects:
            raise RefusedError(404, "NotFound", f"{key[0]} {key[2]} not found")
        return self.objects[key]

    def _list(self, key, query, api):
        """A page of `limit` items behind the one that `continue` names. A list that has expired is 410."""
        selector, after = query.get("labelSelector", ""), query.get("continue", "")
        if after and self.expired:
            self.expired -= 1
            raise RefusedError(410, "Expired", "The provided continue parameter is too old")
        found = [
            (place, one)
            for place, one in sorted(self.objects.items())
            if place[0] == key[0]
            and key[1] in (None, place[1])
            and "/".join(place) > after
            and _named(place, query)
            and _selected(one["metadata"].get("labels") or {}, selector)
        ]
        page = found[: int(query.get("limit") or len(found))]
        metadata = {"continue": "/".join(page[-1][0])} if len(page) < len(found) else {}
        metadata["resourceVersion"] = str(self.version)
        items = [{name: part for name, part in one.items() if name not in ("kind", "apiVersion")} for _, one in page]
        return {"apiVersion": api, "kind": "List", "metadata": metadata, "items": items}

    def _keep(self, key, one):
        if key[0] == "configmaps" and _size(one) > MOST:
            raise RefusedError(
                422, "Invalid", f"ConfigMap {key[2]} is invalid: Too long: may not be more than {MOST} bytes"
            )
        return self._store(key, one)

    def _store(self, key, one):
        self.version += 1
        self.past.append(dict(self.objects))
        one = deepcopy(one)
        old = (self.objects.get(key) or {}).get("metadata", {})
        metadata = one["metadata"]
        metadata.setdefault("namespace", key[1])
        metadata["resourceVersion"] = str(self.version)
        metadata["uid"] = old.get("uid") or f"uid-{self.version}"
        same = key[0] in WITH_STATUS and key in self.objects and self.objects[key].get("spec") == one.get("spec")
        leaving = "deletionTimestamp" in metadata and "deletionTimestamp" not in old
        metadata["generation"] = old.get("generation", 0) + (not same or leaving)
        metadata["creationTimestamp"] = old.get("creationTimestamp") or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        if "deletionTimestamp" in old:
            metadata["deletionTimestamp"] = old["deletionTimestamp"]
        added = key not in self.objects
        self.objects[key] = one
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            return self._remove(key)
        if key[0] == "deployments":
            self._run(one)
        if key[0] == "jobs":
            self._run_job(one)
        if key[0] == "horizontalpodautoscalers":
            self._autoscale(key[1], one["spec"])
        self._tell("ADDED" if added else "MODIFIED", key, one)
        return deepcopy(one)

    def _autoscale(self, namespace, spec):
        """The controller of autoscalers, as far as it goes without metrics."""
        live = self.get("deployments", spec["scaleTargetRef"]["name"], namespace)
        if live and live["spec"].get("replicas", 1) < spec["minReplicas"]:
            live["spec"]["replicas"] = spec["minReplicas"]
            self._run(live)

    def _run(self, deployment):
        """The controller of Deployments, in no time."""
        images = {one["image"] for one in deployment["spec"]["template"]["spec"]["containers"]}
        wanted = deployment["spec"].get("replicas", 1)
        before = (deployment.get("status") or {}).get("readyReplicas", 0)
        status = {"replicas": wanted, "updatedReplicas": wanted, "readyReplicas": wanted}
        if images & self.stuck:  # those that were ready stay, beside a new one that does not get ready
            status = {"replicas": before + 1, "updatedReplicas": 1, "readyReplicas": before}
        deployment["status"] = {"observedGeneration": deployment["metadata"]["generation"], **status}

    def _run_job(self, job):
        """The controller of Jobs, in no time."""
        images = {one["image"] for one in job["spec"]["template"]["spec"]["containers"]}
        if not images & self.stuck:
            kind = "Failed" if images & self.broken else "Complete"
            job["status"] = {"conditions": [{"type": kind, "status": "True", "message": "its Pod has ended"}]}

    def run_again(self, image):
        """Has what was stuck with an image go on."""
        with self.lock:
            self.stuck.discard(image)
            for key, one in list(self.objects.items()):
                if key[0] in ("deployments", "jobs") and image in json.dumps(one["spec"]["template"]):
                    self._store(key, one)


def _status(one):
    return {"status": one["status"]} if "status" in one else {}


def _merged(live, patch):
    """A merge patch, near enough to what server-side apply does with objects whose fields have one manager."""
    merged = dict(live)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif name == "metadata" or (name == "status" and isinstance(value, dict)):
            both = {**(live.get(name) or {}), **value}
            merged[name] = {field: part for field, part in both.items() if part is not None}
        else:
            merged[name] = value
    return merged


def _owned(one, query):
    fields = {"f:metadata": {"f:labels": {f"f:{name}": {} for name in one["metadata"].get("labels") or {}}}}
    owner = {"manager": query.get("fieldManager"), "operation": "Apply", "fieldsV1": fields}
    return {**one, "metadata": {**one["metadata"], "managedFields": [owner]}}


def _size(config_map):
    texts = (value.encode() for value in (config_map.get("data") or {}).values())
    packed = (base64.b64decode(value) for value in (config_map.get("binaryData") or {}).values())
    return sum(map(len, (*texts, *packed)))


def _fixed(method, path, body, ending):
    """What there is besides objects: who asks, what they may, and which kinds there are."""
    if path.endswith("/selfsubjectreviews"):
        return {"status": {"userInfo": {"username": "tester"}}}
    if path.endswith("/selfsubjectaccessreviews"):
        return {"status": {"allowed": True}}
    if path == GRAYLANE:
        return {"resources": [{"kind": kind} for kind in ("LaneGroup", "Rollout", "Lane")]}
    if path.endswith("/selfsubjectrulesreviews"):
        return {"status": {"resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}}
    if path == ISTIO:
        return {"versions": [{"version": "v1"}]}
    if path == f"/apis/{GATEWAY_API}/v1":
        return {"resources": [{"kind": kind} for kind in ("HTTPRoute", "GRPCRoute", "Gateway")]}
    if path == f"{ISTIO}/v1":
        return {"resources": [{"kind": kind} for kind in ISTIO_KINDS]}
    if method == "GET" and (found := re.fullmatch("/api/v1/namespaces/([^/]+)", path)):
        metadata = {"name": found[1], "labels": {"istio-injection": "enabled"}}
        metadata |= {"deletionTimestamp": "2026-01-01T00:00:00Z"} if found[1] in ending else {}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    return None


def _plural(plural, api):
    """The name of a kind among all: Istio and the Gateway API both have Gateways."""
    return f"{plural}.{GATEWAY_API}" if plural == "gateways" and api.startswith(GATEWAY_API) else plural


def _named(key, query):
    return query.get("fieldSelector", f"metadata.name={key[2]}") == f"metadata.name={key[2]}"


def _refusal(error):
    causes = [{"field": field, "message": said} for field, said in error.causes]
    answer = {"kind": "Status", "reason": error.reason, "message": str(error), "details": {"causes": causes}}
    return json.dumps(answer).encode()


def _selected(labels, selector):
    for one in re.split(r",(?![^(]*\))", selector) if selector else ():
        if many := re.fullmatch(r"(\S+) in \((.*)\)", one):
            if labels.get(many[1]) not in many[2].split(","):
                return False
        elif "=" in one:
            name, _, value = one.partition("=")
            if labels.get(name) != value:
                return False
        elif one not in labels:
            return False
    return True


class _Server(LoopbackServer):
    api: FakeApi


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self):
        if self.command == "GET" and "watch=1" in self.path:
            self._watch()
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        fault = self.server.api.fault(self.command, self.path)
        if fault:
            fault.serve(self, body)
        else:
            self.reply(*self.answer(body))

    def _watch(self):
        self.server.api.seen.append(("WATCH", self.path))
        try:
            for hook in list(self.server.api.before):
                hook("WATCH", self.path)
        except RefusedError as error:
            self.reply(error.status, _refusal(error))
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with suppress(OSError):
            for line in self.server.api.watch(self.path):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def answer(self, body):
        """Carries the request out: (status, the answer's bytes)."""
        try:
            status, answer = 200, self.server.api.answer(self.command, self.path, body)
        except RefusedError as error:
            return error.status, _refusal(error)
        return status, json.dumps(answer).encode()

    def reply(self, status, data, *, length=None, **headers):
        """`length`: what the header Content-Length says, if that is not the truth."""
        self.send_response(status)
        for name, value in {"Content_Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  http.server's names

    def log_message(self, *args):
        pass


@contextmanager
def api_server():
    """A FakeApi, for the time of the block."""
    server = _Server(_Handler)
    server.api = FakeApi()
    server.api.url = server.url
    with serving(server):
        try:
            yield server.api
        finally:
            server.api.closed = True


def deployment(name, labels, replicas=1, image="app", namespace="demo"):
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def service(name, port=9001, namespace="demo"):
    ports = [{"name": "http", "port": port}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": ports},
    }
