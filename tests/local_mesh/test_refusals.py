"""What Envoy says when it refuses a configuration, in the words that matter."""

import pytest

from meshconfig.errors import LocalMeshError
from meshconfig.local.admin import refusal
from meshconfig.local.config import EnvoyConfig, Listener

LISTENER = Listener("gateway|80|refusals", "gateway", 80, ("*",))


def config(match=None, cluster=None):
    route = {"match": match or {"prefix": "/"}, "direct_response": {"status": 204}}
    hosts = [{"name": "all", "domains": ["*"], "routes": [route]}]
    clusters = {"one": cluster} if cluster else {}
    return EnvoyConfig((LISTENER,), {LISTENER.name: {"name": LISTENER.name, "virtual_hosts": hosts}}, clusters)


@pytest.mark.envoy
@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (config({"safe_regex": {"regex": "("}}), "missing ): ("),
        (config({"safe_regex": {"regex": ""}}), "RegexMatcherValidationError.Regex: value length must be at least 1 "),
        (config({"prefix": "/", "novelty": 1}), "no such field: 'novelty'"),
        (config(cluster={"name": "one", "type": "STATIC", "connect_timeout": "-1s"}), "Expected positive duration"),
    ],
)
def test_a_refusal_gives_envoys_reason_and_what_ran_runs_on(envoy, refused, reason):
    envoy.change(config())
    with pytest.raises(LocalMeshError, match="Envoy refused the configuration: ") as caught:
        envoy.change(refused)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert envoy.ask(LISTENER.name, "/").status == 204
    envoy.change(config({"prefix": "/only"}))
    assert envoy.ask(LISTENER.name, "/").status == 404


def test_a_log_that_says_nothing():
    assert refusal("[2026-11-21] all is well\n") == "it gave no reason"
