"""A kubeconfig that cannot be used, and a server that does not answer as one: one line, soon, that says what to do."""

import base64
import json
import socket
import stat

import pytest
import yaml
from canned import answering
from rollout_world import GROUP

from meshconfig.cluster.client import Client
from meshconfig.errors import Unauthorized, Unreachable

NO_PEM = base64.b64encode(b"not a certificate").decode()


def config(cluster=None, user=None, **others):
    """A kubeconfig with one cluster, user and context, all called `one`."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "one", "cluster": {"server": "https://127.0.0.1:1"} if cluster is None else cluster}],
        "users": [{"name": "one", "user": {"token": "abc"} if user is None else user}],
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        **others,
    }


@pytest.fixture
def diff(graylane, tmp_path, monkeypatch):
    """`graylane diff` with a kubeconfig; gives what it says, with FILE for the kubeconfig's path."""
    spec = tmp_path / "graylane.yaml"
    spec.write_text(GROUP)
    file = tmp_path / "config"
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    def run(content):
        if isinstance(content, dict):
            content = yaml.safe_dump(content)
        if content is not None:
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        code, out, err = graylane("diff", "-f", spec)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        return err.strip().replace(str(file), "FILE").replace(str(tmp_path), "DIR")

    return run


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "graylane: no cluster: FILE does not exist; set KUBECONFIG"),
        ("", "graylane: no cluster: FILE has no current-context"),
        ("hello\n", "FILE: is no kubeconfig"),
        ("- a\n- b\n", "FILE: is no kubeconfig"),
        ("<html>404</html>\n", "FILE: is no kubeconfig"),
        ("{}\n", "FILE: is no kubeconfig"),
        ("a: [b\n- c\n", "FILE:3: not YAML"),
        ("clusters: []\n\tusers: []\n", "FILE:2: a tab indents this line"),
        ("a: b\n".encode("utf-16"), "FILE: a kubeconfig is UTF-8 text"),
        (config(clusters={"one": {}}), "FILE:2: clusters: takes a list"),
        (config(users=["one"]), "FILE:14: users[0]: takes a mapping with name and user"),
        (config(contexts=[{"context": {}}]), "FILE:7: contexts[0]: takes a mapping with name and context"),
        (config(users=[{"name": "one", "user": "me"}]), "FILE:15: users[0].user: takes a mapping"),
        (config(**{"current-context": "two"}), "FILE: there is no context two; there is one"),
        (config(clusters=[]), "FILE: context one: its cluster one is not in clusters"),
        (config(users=None), "FILE: context one: its user one is not in users"),
        (config({}), "FILE: cluster one: server: takes a URL such as https://HOST:6443, and is missing"),
        (config({"server": "10.0.0.1:6443"}), "FILE: cluster one: server: takes a URL such as https://HOST:6443, not"),
        (config({"server": 6443}), "FILE: cluster one: server: takes a URL such as https://HOST:6443, not 6443"),
        (config({"server": "https://x:y"}), "FILE: cluster one: server: takes a URL"),
        (config({"server": "https://u:s3cret@x:y"}), "FILE: cluster one: server: takes a URL"),
        (
            config({"server": "u:s3cret@h:6443"}),
            "FILE: cluster one: server: takes a URL such as https://HOST:6443, not 'h:",
        ),
        (
            config({"server": "https://127.0.0.1:1", "certificate-authority-data": "!!!notbase64"}),
            "FILE: context one cannot be used: ",
        ),
        (
            config({"server": "https://127.0.0.1:1", "certificate-authority-data": NO_PEM}),
            "FILE: context one: its certificate-authority cannot be used",
        ),
        (
            config({"server": "https://127.0.0.1:1", "certificate-authority": "ca.crt"}),
            "FILE: context one cannot be used: File does not exist: DIR/ca.crt",
        ),
        (
            config(user={"client-certificate-data": NO_PEM, "client-key-data": NO_PEM}),
            "FILE: context one: its client-certificate and client-key cannot be used",
        ),
        (config(user={"tokenFile": "no/token"}), "DIR/no/token: cannot be read: No such file or directory"),
        (config(user={"exec": "aws"}), "FILE: user one: exec: takes a mapping with apiVersion and command"),
        (
            config(user={"exec": {"command": "aws-no-such", "installHint": "See\nthe docs"}}),
            "FILE: user one: exec: the plugin aws-no-such, which gets the credentials, is not on PATH: See the docs",
        ),
        (config(user={"exec": {"command": "./no-such"}}), "FILE: user one: exec: the plugin ./no-such"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_one_line(diff, content, said):
    found = diff(content)
    assert found.startswith(said)
    assert "s3cret" not in found


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'session has ended' >&2; exit 3", "exec: process returned 3. session has ended; log in again"),
        ("echo hello", "exec: failed to decode process output"),
        ('echo \'{"apiVersion": "a/v1", "kind": "ExecCredential", "status": {}}\'', "missing token"),
    ],
)
def test_an_exec_plugin_that_fails_is_quoted(diff, tmp_path, script, said):
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\n{script}\n")
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    found = diff(config(user={"exec": {"apiVersion": "a/v1", "command": "./plugin"}}))
    assert found.startswith("FILE: context one has no credentials: exec: ")
    assert said in found


def test_an_exec_plugin_gives_the_token(tmp_path, monkeypatch):
    plugin = tmp_path / "plugin"
    answer = {"apiVersion": "a/v1", "kind": "ExecCredential", "status": {"token": "of-the-plugin"}}
    plugin.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    plugin.chmod(0o755)
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(config(user={"exec": {"apiVersion": "a/v1", "command": "./plugin"}})))
    monkeypatch.setenv("KUBECONFIG", str(file))
    assert Client.connect().configuration.api_key["BearerToken"] == "Bearer of-the-plugin"


def test_several_files_are_one_and_the_last_names_the_context(tmp_path, monkeypatch):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text(yaml.safe_dump(config({"server": "http://first"})))
    other = {"clusters": [{"name": "two", "cluster": {"server": "http://second"}}], "current-context": "two"}
    second.write_text(yaml.safe_dump({**other, "contexts": [{"name": "two", "context": {"cluster": "two"}}]}))
    monkeypatch.setenv("KUBECONFIG", f"{first}:{tmp_path / 'none'}:{second}")
    assert Client.connect().server == "http://second"
    assert Client.connect("one").server == "http://first"


def port_of_nobody():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("http://127.0.0.1:{port}", "connection refused; start the cluster, or correct the cluster's server in"),
        ("https://127.0.0.1:{port}", "connection refused; start the cluster, or correct the cluster's server in"),
        ("https://no-such-host.invalid:6443", "its host name is not known; correct the cluster's server in"),
    ],
)
def test_a_server_that_never_answered_is_not_asked_for_long(diff, server, said):
    where = server.format(port=port_of_nobody())
    found = diff(config({"server": where}))
    assert found == f"graylane: no answer from the API server {where}: {said} context one of FILE" + (
        ", or connect to its network" if "invalid" in where else ""
    )


class TestAnswers:
    """A server that answers, but not as an API server with these credentials does."""

    @pytest.fixture
    def asked(self, diff):
        def asked(status, body, scheme="http"):
            with answering((status, body)) as server:
                found = diff(config({"server": server.url.replace("http", scheme, 1)}))
                return found.replace(server.url.partition(":")[2], "SERVER"), len(server.seen)

        return asked

    @pytest.mark.parametrize(
        "body",
        [
            "<html>log in</html>",
            "",
            "[]",
            "null",
            '"ok"',
            "{}",
            '{"items": [1]}',
            '{"apiVersion": "v1", "items": [{}]}',
        ],
    )
    def test_a_login_page_is_named_as_none(self, asked, body):
        said, _ = asked(200, body)
        assert "no Kubernetes API server" in said
        assert "correct the cluster's server in context one of FILE" in said

    @pytest.mark.parametrize("body", ['{"kind": "Status", "message": "Unauthorized"}', "<html>", "[]"])
    def test_a_token_that_has_ended_says_to_log_in_again(self, asked, body):
        said, times = asked(401, body)
        assert "refuses the credentials of context one of FILE (401 " in said
        assert said.endswith("log in again")
        assert times == 1

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("<html>\n<b>who\x1b[2J are you</html>", "graylane: <html> <b>who [2J are you</html>"),
            ("[1]", "graylane: [1]"),
            ('{"message": {"a": [1]}, "details": [1]}', "graylane: {'a': [1]}"),
            ('{"reason": 5, "details": {"causes": {"a": 1}}}', "graylane: 5"),
            ("", "graylane: HTTP 403"),
        ],
    )
    def test_a_refusal_of_any_shape_is_one_line(self, asked, body, said):
        assert asked(403, body) == (said, 1)

    def test_a_server_without_tls_is_named_so(self, asked):
        said, _ = asked(200, "{}", scheme="https")
        assert "it does not speak TLS; correct the cluster's server in context one of FILE" in said


@pytest.mark.slow
def test_once_it_has_answered_a_server_that_restarts_is_waited_for(tmp_path, monkeypatch):
    file = tmp_path / "config"
    monkeypatch.setenv("KUBECONFIG", str(file))
    with answering((200, "{}"), *[(503, "")] * 6, (200, '{"kind": "Pod"}')) as server:
        file.write_text(yaml.safe_dump(config({"server": server.url})))
        client = Client.connect()
        assert client.request("GET", "/version") == {}
        assert client.request("GET", "/again") == {"kind": "Pod"}
        assert len(server.seen) == 8


@pytest.mark.slow
def test_before_it_has_answered_a_server_that_is_down_is_given_up_on(tmp_path, monkeypatch):
    file = tmp_path / "config"
    monkeypatch.setenv("KUBECONFIG", str(file))
    with answering((503, "down")) as server:
        file.write_text(yaml.safe_dump(config({"server": server.url})))
        with pytest.raises(Exception, match="down"):
            Client.connect().request("GET", "/version")
        assert len(server.seen) == 5


def test_errors_of_a_client_are_told_apart(tmp_path, monkeypatch):
    file = tmp_path / "config"
    monkeypatch.setenv("KUBECONFIG", str(file))
    with answering((401, "{}")) as server:
        file.write_text(yaml.safe_dump(config({"server": server.url})))
        with pytest.raises(Unauthorized):
            Client.connect().request("GET", "/version")
    with pytest.raises(Unreachable):
        Client.connect().request("GET", "/version")
