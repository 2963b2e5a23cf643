import pytest
from console_world import api_server, by_kubeconfig, put_demo


@pytest.fixture
def api():
    with api_server() as one:
        put_demo(one)
        yield one


@pytest.fixture
def browser(api, tmp_path, monkeypatch):
    """One that has come in. A module whose pages need more there adds it."""
    with by_kubeconfig(api, tmp_path, monkeypatch) as one:
        yield one
