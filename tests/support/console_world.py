"""A console in front of the tests' API server, and a browser that has come in."""

import threading
from contextlib import contextmanager

import yaml
from fake_api import api_server, deployment, service
from starlette.testclient import TestClient

from meshconfig.cluster.change import Choices, Wanted, Watcher, carry_out
from meshconfig.cluster.client import Client
from meshconfig.console import Settings, create_app
from meshconfig.console.jobs import Jobs
from meshconfig.console.sources.access import ByKubeconfig, ByToken
from meshconfig.groups import groups
from meshconfig.load import parse

PORT = 8123
ORIGIN = f"http://127.0.0.1:{PORT}"
AT_ONCE = Choices(istiod="http://127.0.0.1:1", wait=0, drain=0)
PUBLIC = "https://console.example.com"


class Browser(TestClient):
    """Sends what a browser sends. `token` is the one of the forms, as the last page had it."""

    def __init__(self, app, origin=ORIGIN, jobs=None, **headers):
        super().__init__(app, base_url=origin, headers=headers, follow_redirects=False)
        self.origin, self.known = origin, jobs or Jobs()

    def jobs(self):
        """The changes that its console knows."""
        return list(self.known._jobs.values())

    @property
    def csrf(self):
        text = self.get("/", follow_redirects=True).text
        return text.partition('name="csrf" value="')[2].partition('"')[0]

    def submit(self, path, **fields):
        """A form of the page that was loaded last."""
        return self.form(path, fields)

    def form(self, path, fields):
        """The same, for fields of any name."""
        data = {**fields, "csrf": fields.get("csrf") or self.csrf}
        return self.post(path, data=data, headers={"Origin": self.origin})


@contextmanager
def by_kubeconfig(api, folder, monkeypatch, observer=None, gateway=None, **headers):
    """A browser that has come in by the printed address."""
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(folder)))
    settings = Settings.on_loopback(PORT)
    jobs = Jobs()
    access = ByKubeconfig(Client.connect(), AT_ONCE)
    app = create_app(settings, access, jobs=jobs, observer=observer, gateway=gateway)
    with Browser(app, jobs=jobs, **headers) as browser:
        assert browser.get(f"/open/{settings.secret}").status_code == 303
        yield browser


def by_token(api, **headers):
    """A browser at a console behind a proxy."""
    return Browser(create_app(Settings.behind_proxy(PUBLIC), ByToken(api.url, choices=AT_ONCE)), PUBLIC, **headers)


GROUP = """\
apiVersion: graylane.dev/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes:
    prod: {versions: {cat: v1, mouse: v1}}
    gray: {versions: {cat: v2}}
  services:
    cat:
      host: cat-svc
      port: 9001
      calls: [mouse]
      versions: {v1: {labels: {version: v1}}, v2: {labels: {version: v2}}}
    mouse: {host: mouse-svc, port: 9001, versions: {v1: {labels: {version: v1}}, v2: {labels: {version: v2}}}}
  entries:
    - hosts: [cat.example.com]
      routes: [{path: {prefix: /}, service: cat}]
"""


def put_demo(api):
    """Services cat and mouse, each with the versions v1 and v2."""
    for name in ("cat", "mouse"):
        api.put(service(f"{name}-svc"))
        for version in ("v1", "v2"):
            one = deployment(f"{name}-{version}", {"app": name, "version": version})
            api.answer("POST", "/apis/apps/v1/namespaces/demo/deployments", one)


def apply(text=GROUP):
    """What `graylane apply` does, in the cluster of KUBECONFIG."""
    (group,) = groups(parse(text, "graylane.yaml"))
    carry_out(Client.connect(), Wanted(group.key[1], group.key[0], group.spec), AT_ONCE, Watcher())


def put_object(api, text=GROUP, **metadata):
    """The group as an object."""
    one = yaml.safe_load(text)
    api.put({**one, "metadata": {**one["metadata"], **metadata}})


def ended(browser, where):
    """The page of a change, once it has come to its end."""
    for _ in range(600):
        text = browser.get(where).text
        if "data-live" not in text:
            return text
        threading.Event().wait(0.02)
    raise AssertionError(text)


__all__ = ["api_server"]
