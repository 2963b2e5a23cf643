"""The page Ask: the explained answer beside the real one, and where requests may go."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from console_pets import put_pets, words
from console_world import api_server, by_kubeconfig
from hypothesis import given
from hypothesis import strategies as st
from rollout_world import group

from meshconfig.console.asking import Gateway, Question
from meshconfig.errors import InputError

ASK = "/g/demo/pets/ask"
GROUP = group()


class Mesh(ThreadingHTTPServer):
    """Stands for the mesh's gateway, and keeps what it was asked."""

    seen: list[tuple[str, dict[str, str]]]


class Answering(BaseHTTPRequestHandler):
    server: "Mesh"

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers.items())))
        body = b"<b>hello</b>"
        self.send_response(200)
        self.send_header("x-graylane-trail", "mouse/v2")
        self.send_header("x-graylane-trail", "cat/v2")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def mesh():
    server = Mesh(("127.0.0.1", 0), Answering)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def browser(tmp_path, monkeypatch, mesh):
    gateway = Gateway.parse(f"http://127.0.0.1:{mesh.server_port}")
    with api_server() as api:
        put_pets(api)
        with by_kubeconfig(api, tmp_path, monkeypatch, gateway=gateway) as one:
            yield one


def test_the_routes_answer_is_told_hop_by_hop_with_reasons(browser, mesh):
    said = words(browser.get(ASK, params={"host": "cat.example.com", "lane": "gray"}).text)
    assert "cat.example.com → cat/v2" in said
    assert "cat → mouse → mouse/v2" in said
    assert "mouse → dog → dog/prod" in said
    assert "Earlier routes that do not take it" in words(browser.get(ASK, params={"host": "cat.example.com"}).text)
    assert not mesh.seen  # an address to pass on sends nothing


def test_a_form_sends_the_request_and_shows_who_answered(browser, mesh):
    fields = {"host": "cat.example.com", "path": "/say?x=1", "lane": "gray", "headers": "accept: text/x\ncookie: a=b"}
    text = browser.form(ASK, fields).text
    assert "cat/v2 → mouse/v2" in words(text)
    assert "<b>hello" not in text
    ((path, headers),) = mesh.seen
    assert path == "/say?x=1"
    assert headers["host" if "host" in headers else "Host"] == "cat.example.com"
    assert {name.lower(): value for name, value in headers.items()}["env"] == "gray"
    assert "permalink" in text
    assert "curl -i -H &#39;Host: cat.example.com&#39; -H &#39;env: gray&#39;" in text


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "169.254.169.254"},
        {"host": "evil.example"},
        {"host": "cat.example.com@evil.example"},
        {"host": "cat.example.com/../x"},
        {"host": "cat.example.com", "path": "http://evil.example/"},
        {"host": "cat.example.com", "path": "/ HTTP/1.1\r\nHost: evil"},
        {"host": "cat.example.com", "headers": "host: evil.example"},
        {"host": "cat.example.com", "headers": "a: b\x00"},
        {"host": "cat.example.com", "headers": "transfer-encoding: chunked"},
        {"host": "cat.example.com", "lane": "none"},
    ],
)
def test_nothing_else_than_the_groups_own_hosts_is_asked(browser, mesh, fields):
    answer = browser.form(ASK, {"path": "/", **fields})
    assert answer.status_code == 400
    assert not mesh.seen


@pytest.mark.parametrize("host", ["CAT.example.com", " cat.example.com ", "Cat.Example.com:80\t"])
def test_a_host_is_taken_in_any_case_and_with_blanks_that_were_pasted_with_it(browser, mesh, host):
    assert "cat/v2" in words(browser.form(ASK, {"host": host, "path": " /x ", "lane": "gray"}).text)
    ((path, headers),) = mesh.seen
    assert path == "/x"
    assert {name.lower(): one for name, one in headers.items()}["host"].partition(":")[0] == "cat.example.com"


def test_a_path_is_sent_as_browsers_send_it(browser, mesh):
    text = browser.form(ASK, {"host": "cat.example.com", "path": "/猫?q=%20é"}).text
    assert mesh.seen[0][0] == "/%E7%8C%AB?q=%20%C3%A9"
    assert 'value="/猫?q=%20é"' in text


@pytest.mark.parametrize("path", ["/a#b", "/a b", "a"])
def test_what_a_path_cannot_have_is_said(browser, path):
    said = words(browser.form(ASK, {"host": "cat.example.com", "path": path}).text)
    assert "begins with /, has 2001 characters at most, and neither spaces nor #" in said


@pytest.mark.slow
def test_a_gateway_that_does_not_answer_is_told(browser, mesh):
    mesh.shutdown()
    mesh.server_close()
    assert "No answer came" in words(browser.form(ASK, {"host": "cat.example.com", "path": "/"}).text)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=120))
def test_what_is_typed_is_a_request_to_an_entry_or_refused(host, path, headers):
    try:
        one = Question.of(GROUP, host, path, "gray", headers)
    except InputError:
        return
    assert one.host.partition(":")[0] == "cat.example.com"
    assert one.path.startswith("/")
    assert one.path.isascii()
    assert one.path.isprintable()
    assert not any(set("\r\n\0") & set(name + value) for name, value in one.sent)


@pytest.mark.parametrize("text", ["ftp://x", "http://", "http://a/b", "http://u:p@a", "http://a?b", "http://a:x", ""])
def test_a_gateway_is_an_origin(text):
    with pytest.raises(InputError):
        Gateway.parse(text)
