"""Who may talk to the console, and what its answers have."""

import asyncio
import re
from html import unescape

import pytest
from console_world import ORIGIN, PUBLIC, Browser, by_token
from fake_api import RefusedError
from faults import Fault
from starlette.responses import Response

from meshconfig.console import Settings, create_app
from meshconfig.console.security import entrance
from meshconfig.console.security.entrance import cookie_name
from meshconfig.console.security.guard import HEADERS
from meshconfig.console.sources.access import ByToken


@pytest.mark.parametrize(
    "path", ["/", "/static/console.css", "/nowhere", "/open/wrong", "/healthz", "/g/demo/none/lanes"]
)
def test_every_answer_has_the_headers(browser, path):
    answer = browser.get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == dict(HEADERS)
    assert "inline" not in answer.headers["content-security-policy"]


def test_the_secret_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(api, tmp_path, monkeypatch):
    settings = Settings.on_loopback(8123)
    browser = Browser(create_app(settings, ByToken(api.url)))
    answer = browser.get(f"/open/{settings.secret}")
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert settings.secret not in cookie


def test_without_the_secret_nothing_is_shown(browser):
    browser.cookies.clear()
    answer = browser.get("/")
    assert answer.status_code == 401
    assert "graylane console" in answer.text
    assert browser.get("/open/guess").status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8123", "127.0.0.1", "127.0.0.1:80", ""])
def test_another_host_is_refused(browser, host):
    assert browser.get("/", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ORIGIN.replace("8123", "80")},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_form_of_another_site_is_refused(browser, headers):
    answer = browser.post("/logout", data={"csrf": browser.csrf}, headers=headers)
    assert answer.status_code == 403


def test_a_form_without_its_token_is_refused(browser):
    assert browser.submit("/logout", csrf="guess").status_code == 403


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_another_content_type_is_refused(browser, kind):
    answer = browser.post("/logout", content=b"{}", headers={"Origin": ORIGIN, "Content-Type": kind})
    assert answer.status_code == 415


def test_a_large_body_is_refused_however_it_is_sent(browser):
    headers = {"Origin": ORIGIN, "Content-Type": "application/x-www-form-urlencoded"}
    assert browser.post("/logout", content=b"x" * 70_000, headers=headers).status_code == 413
    assert browser.post("/logout", content=iter([b"x" * 1000] * 70), headers=headers).status_code == 413


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(browser, method):
    assert browser.request(method, "/").status_code == 405


def test_a_cookie_of_another_process_or_changed_opens_nothing(browser):
    name, value = next(iter(browser.cookies.items()))
    browser.cookies.set(name, value[:-4] + "AAAA", domain="127.0.0.1", path="/")
    browser.cookies.delete(name)
    browser.cookies.set(name, value[:-4] + "AAAA")
    assert browser.get("/").status_code == 401


def test_behind_a_proxy_each_person_needs_a_token(api):
    browser = by_token(api)
    answer = browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert browser.submit("/login", token="").status_code == 400
    assert browser.submit("/login", token="abc.def.ghi").status_code == 303
    assert "tester" in browser.get("/").text
    cookie = browser.get("/login")
    assert "abc.def" not in str(cookie.headers) + str(dict(browser.cookies))
    assert next(iter(browser.cookies)).startswith("__Host-")
    assert browser.submit("/logout").headers["location"] == "/login"
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize("header", [{"Authorization": "Bearer abc"}, {"X-Forwarded-Access-Token": "abc"}])
def test_the_token_of_a_proxy_is_the_persons(api, header):
    seen = []
    api.fault = lambda method, path: seen.append((method, path))
    browser = by_token(api, **header)
    assert browser.get("/").status_code == 200
    assert seen
    assert browser.origin == PUBLIC


def test_whoever_logs_in_gets_to_the_page_of_the_link(api):
    browser, wanted = by_token(api), "/g/demo/pets/versions/preview?act=takeover&service=mouse&version=v2"
    login = browser.get(wanted).headers["location"]
    assert login.startswith("/login?next=")
    page = browser.get(login).text
    csrf, wish = (re.search(f'name="{name}" value="([^"]*)"', page)[1] for name in ("csrf", "next"))
    refused = browser.form("/login", {"csrf": csrf, "next": unescape(wish), "token": "中"})
    assert f'name="next" value="{wish}"' in refused.text
    answer = browser.form("/login", {"csrf": csrf, "next": unescape(wish), "token": "abc.def.ghi"})
    assert answer.headers["location"] == wanted


@pytest.mark.parametrize("wanted", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nX: y", ""])
def test_a_login_leads_to_no_other_site(api, wanted):
    browser = by_token(api)
    page = browser.get("/login", params={"next": wanted}).text
    assert 'name="next" value="/"' in page
    csrf = re.search('name="csrf" value="([^"]*)"', page)[1]
    answer = browser.form("/login", {"csrf": csrf, "next": wanted, "token": "abc.def.ghi"})
    assert answer.headers["location"] == "/"


def test_a_token_that_has_ended_is_replaced_without_losing_the_page(api):
    def refuse(method, path):
        raise RefusedError(401, "Unauthorized", "no such token")

    api.before.append(refuse)
    text = by_token(api, Authorization="Bearer old").get("/g/demo/pets/lanes").text
    assert 'href="/login?next=/g/demo/pets/lanes"' in text


def test_the_way_back_stays_on_this_site(browser):
    for back in ("//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nSet-Cookie: x=y"):
        answer = browser.get("/set/language/zh", params={"next": back})
        assert answer.headers["location"] == "/"
    assert (
        browser.get("/set/language/zh", params={"next": "/?namespace=demo"}).headers["location"] == "/?namespace=demo"
    )
    assert 'lang="zh"' in browser.get("/").text


def test_what_is_no_api_server_is_an_error_page(api, browser):
    api.fault = lambda method, path: Fault("html with status 200")
    answer = browser.get("/")
    assert answer.status_code == 502
    assert "is no Kubernetes API server" in answer.text


def test_a_token_that_is_no_good_is_said_with_the_way_to_another(api):
    def refuse(method, path):
        raise RefusedError(401, "Unauthorized", "no such token")

    api.before.append(refuse)
    answer = by_token(api, Authorization="Bearer old").get("/")
    assert answer.status_code == 401
    assert 'href="/login"' in answer.text


@pytest.mark.parametrize(("status", "page"), [(401, 401), (500, 409), (403, 200), (404, 200)])
def test_a_token_comes_in_only_if_the_api_server_has_not_refused_it(api, status, page):
    def refuse(method, path):
        if path.endswith("/selfsubjectreviews"):
            raise RefusedError(status, "No", "not you")

    api.before.append(refuse)
    assert by_token(api, Authorization="Bearer old").get("/").status_code == page


def test_who_has_come_in_can_log_out_while_the_api_server_is_away(api):
    browser = by_token(api)
    assert browser.submit("/login", token="abc.def.ghi").status_code == 303

    def refuse(method, path):
        raise RefusedError(401, "Unauthorized", "no such token")

    api.before.append(refuse)
    csrf = browser.get("/login").text.partition('name="csrf" value="')[2].partition('"')[0]
    assert browser.submit("/logout", csrf=csrf).headers["location"] == "/login"
    assert browser.get("/").headers["location"] == "/login"


@pytest.mark.parametrize(
    ("url", "host", "origin"),
    [
        (PUBLIC, "console.example.com", PUBLIC),
        ("https://Console.example.com:443/", "console.example.com", PUBLIC),
        ("https://console.example.com:", "console.example.com", PUBLIC),
        ("http://console.example.com:80", "console.example.com", "http://console.example.com"),
        ("https://console.example.com:80", "console.example.com:80", "https://console.example.com:80"),
        ("https://[FD00::1]:443", "[fd00::1]", "https://[fd00::1]"),
        ("http://[fd00::1]", "[fd00::1]", "http://[fd00::1]"),
        ("https://[fd00::1]:8443", "[fd00::1]:8443", "https://[fd00::1]:8443"),
    ],
)
def test_the_public_address_is_known_as_browsers_send_it(url, host, origin):
    settings = Settings.behind_proxy(url)
    Response().set_cookie(cookie_name(settings), "x")
    assert (settings.hosts, settings.origins) == ({host}, {origin})


@pytest.mark.parametrize("path", ["//evil.example", "///evil.example/x"])
def test_no_link_of_an_error_page_leads_to_another_site(browser, path):
    text = browser.get(f"{ORIGIN}{path}").text
    assert "evil.example" in text
    assert 'href="//' not in text


ELSEWHERE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}


def test_a_link_of_another_site_does_not_replace_the_session(api):
    browser = by_token(api)
    assert browser.submit("/login", token="abc.def.ghi").status_code == 303
    kept = dict(browser.cookies)
    browser.cookies.clear()  # as the browser keeps them back
    answer = browser.get("/?namespace=demo", headers=ELSEWHERE)
    assert "set-cookie" not in answer.headers
    assert '<meta http-equiv="refresh" content="0; url=/?namespace=demo">' in answer.text
    browser.cookies.update(kept)
    assert "tester" in browser.get("/", headers=ELSEWHERE | {"Sec-Fetch-Site": "same-origin"}).text


def test_whoever_comes_first_by_a_link_of_another_site_logs_in_after_the_reload(api):
    browser = by_token(api)
    assert browser.get("/", headers=ELSEWHERE).status_code == 200
    assert browser.get("/", headers={"Sec-Fetch-Site": "same-origin"}).headers["location"] == "/login"
    assert browser.submit("/login", token="abc.def.ghi").status_code == 303


def test_a_form_that_does_not_come_is_not_waited_for(api, monkeypatch):
    monkeypatch.setattr(entrance, "PATIENCE", 0.0)
    app = create_app(Settings.behind_proxy(PUBLIC), ByToken(api.url))
    fields = {"host": "console.example.com", "origin": PUBLIC, "content-type": "application/x-www-form-urlencoded"}
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    scope = {"type": "http", "method": "POST", "path": "/login", "query_string": b"", "headers": headers}
    sent = []

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    async def ask():
        await app(scope, receive, send)

    asyncio.run(ask())
    assert sent[0]["status"] == 403
    assert b"has not come" in sent[1]["body"]
