"""The group pets in the tests' API server, as an object, with Pods; and the parts of a page that a reader sees."""

import re
from html import unescape

import rollout_world
from fake_api import RefusedError

from meshconfig.groups import groups
from meshconfig.load import parse

POD = "demo/cat-v2-1"
NODE = "sidecar~10.0.0.7~cat-v2-1.demo~demo.svc.cluster.local"
CALL = {"node": NODE, "cluster": "outbound|9001|v2|mouse-svc.demo.svc.cluster.local", "tag": "gray", "code": "200"}


def put_pets(api, text=rollout_world.GROUP):
    """The object, two Services and a Pod of cat v2."""
    (group,) = groups(parse(text, "graylane.yaml"))
    document = group.document
    created = {"generation": 1, "uid": "1", "creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "1"}
    api.put({**document, "metadata": {**document["metadata"], **created}})
    for name in ("cat", "mouse", "dog"):
        api.put(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": f"{name}-svc", "namespace": "demo"},
                "spec": {"selector": {"app": name}, "ports": [{"port": 9001}]},
            }
        )
    labels = {"app": "cat", "v": "v2"}
    api.put(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "cat-v2-1", "namespace": "demo", "labels": labels}}
    )


def forbid(which):
    """A hook of the API server that refuses requests as it refuses an account without the right."""

    def refuse(method, url):
        if which(method, url):
            raise RefusedError(403, "Forbidden", f'User "tester" cannot {method} {url}')

    return refuse


def words(html):
    """The visible text of a page, in one line."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", html.partition("<main")[2], flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def hidden(text):
    """The hidden fields of a page's last form."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text.rpartition("<form")[2]))
