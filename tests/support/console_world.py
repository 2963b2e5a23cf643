"""A console in front of the tests' API server, and a browser that has come in."""

from contextlib import contextmanager

from fake_api import api_server, deployment, service
from starlette.testclient import TestClient

from meshconfig.cluster.client import Client
from meshconfig.console import Settings, create_app
from meshconfig.console.sources.access import ByKubeconfig, ByToken

PORT = 8123
ORIGIN = f"http://127.0.0.1:{PORT}"
PUBLIC = "https://console.example.com"


class Browser(TestClient):
    """Sends what a browser sends. `token` is the one of the forms, as the last page had it."""

    def __init__(self, app, origin=ORIGIN, **headers):
        super().__init__(app, base_url=origin, headers=headers, follow_redirects=False)
        self.origin = origin

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
    app = create_app(settings, ByKubeconfig(Client.connect()), observer=observer, gateway=gateway)
    with Browser(app, **headers) as browser:
        assert browser.get(f"/open/{settings.secret}").status_code == 303
        yield browser


def by_token(api, **headers):
    """A browser at a console behind a proxy."""
    return Browser(create_app(Settings.behind_proxy(PUBLIC), ByToken(api.url)), PUBLIC, **headers)


def put_demo(api):
    """Services cat and mouse, each with the versions v1 and v2."""
    for name in ("cat", "mouse"):
        api.put(service(f"{name}-svc"))
        for version in ("v1", "v2"):
            api.answer(
                "POST",
                "/apis/apps/v1/namespaces/demo/deployments",
                deployment(f"{name}-{version}", {"app": name, "version": version}),
            )


__all__ = ["ORIGIN", "PUBLIC", "Browser", "api_server", "by_kubeconfig", "by_token", "put_demo"]
