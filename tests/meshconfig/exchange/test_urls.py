"""URLs: every program on the way has to see the same host, and no message may show a secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url as urllib3_sees

from meshconfig.exchange.urls import covers, parse_url, shown_url

HOSTS = st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z]{2,5}){0,2}", fullmatch=True) | st.sampled_from(["10.0.0.1", "[::1]"])
SECRET = st.text("ABCDEFGH0123456789:.~!$&'()*+,;=-_%", min_size=6, max_size=12).map("S3C".__add__)


@given(HOSTS, st.integers(1, 65535) | st.none(), SECRET, SECRET, SECRET, st.sampled_from("/?#@\\"), st.booleans())
def test_what_is_shown_has_the_host_and_no_secret(host, port, user, path, query, odd, keep):
    where = host if port is None else f"{host}:{port}"
    plain = f"https://{user}@{where}/{path}?{query}#{query}"
    assert shown_url(plain) == f"https://{where}/…"
    assert "S3C" not in shown_url(plain.replace(path, "x"), path=keep)
    # An unencoded sign in the password makes it another URL, and still none of it is shown.
    assert "S3C" not in shown_url(f"https://name:{user}{odd}{query}@{where}/", path=keep)


@given(st.text() | st.from_regex(r"https?://[^/]*@?[^/]*/?.*"), st.booleans())
def test_any_text_is_shown_in_one_line(text, keep):
    found = shown_url(text, path=keep)
    assert found.isprintable()
    assert len(found.encode()) <= 300
    if "@" in text and "@" not in text.rpartition("@")[2]:
        assert "@" not in found


@pytest.mark.parametrize(
    ("url", "shown", "with_path"),
    [
        ("http://prometheus.monitoring:9090", "http://prometheus.monitoring:9090", "http://prometheus.monitoring:9090"),
        ("https://hooks.slack.com/services/T0/B0/X", "https://hooks.slack.com/…", "https://hooks.slack.com/services/T0/B0/X"),
        ("https://rancher/k8s/clusters/c-1/", "https://rancher/…", "https://rancher/k8s/clusters/c-1"),
        ("https://u:p@h:1?token=x", "https://h:1/…", "https://h:1"),
        ("10.0.0.1:6443", "10.0.0.1:6443", "10.0.0.1:6443"),
        ("https://u:p@x:y", "https://…", "https://…"),
        ("https://u:1/2@h/", "https://…", "https://…"),
        ("u:p@h:1", "h:1", "h:1"),
        ("", "", ""),
    ],
)  # fmt: skip
def test_how_urls_are_shown(url, shown, with_path):
    assert (shown_url(url), shown_url(url, path=True)) == (shown, with_path)


@given(st.from_regex(r"(?i)https?://[^\s]{1,40}") | st.text(max_size=60).map("https://".__add__))
def test_a_url_that_is_taken_names_the_same_host_to_the_library_that_connects(text):
    try:
        found = parse_url(text)
    except ValueError:
        return
    seen = urllib3_sees(found.sent)
    assert (seen.scheme, (seen.host or "").strip("[]").rstrip("."), seen.port or found.port) == (
        found.scheme, found.host, found.port,
    )  # fmt: skip
    assert seen.auth is None


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "ftp://h/", "https://", "https:///x", "https://[::1", "https://[::g]/", "https://h:0/", "https://h:65536/",
        "https://h:x/", "https://a b/", "https://h/a b", "https://good.example.com\\@evil.example.com/", "https://a@b@c/",
        "https://" + "a" * 70 + ".x/", "https://a..b/", "https://.a/", "http://\u2100/", "https://h/\x1b[2J", "https://h%2f/",
        "https://h/\n", "https://" + "a." * 3000 + "x/",
    ],
)  # fmt: skip
def test_what_is_no_url_is_said_in_words(text):
    with pytest.raises(ValueError, match=r"^takes a "):
        parse_url(text)


@pytest.mark.parametrize(
    ("prefix", "url", "covered"),
    [
        ("https://h/a", "https://h/a", True),
        ("https://h/a", "https://h/a/b?x=1", True),
        ("https://h/a/", "https://h/a/b", True),
        ("https://h", "https://h/anything", True),
        ("https://h/", "https://h:443/anything", True),
        ("HTTPS://H.:443/a", "https://h/a/b", True),
        ("https://h/a", "https://user:pw@h/a", True),
        ("https://h/a", "https://h/ab", False),
        ("https://h/a", "https://h/", False),
        ("https://h/a", "https://h/A", False),
        ("https://h/a", "http://h/a", False),
        ("https://h/a", "https://h:8443/a", False),
        ("https://h/a", "https://h.evil.example.com/a", False),
        ("https://h/a", "https://h@evil.example.com/a", False),
        ("https://h/a", "https://h/a/../b", False),
        ("https://h/a", "https://h/a/%2e%2E/b", False),
        ("https://h/a", "https://h/a/%252e%252e/b", False),
        ("https://h/a", "https://h/a/..%2fb", False),
        ("https://h/a", "https://h/a/..;x/b", False),
        ("https://h/a", "https://h/a/.../b", True),
    ],
)
def test_a_prefix_covers_whole_segments_of_one_server(prefix, url, covered):
    assert covers(prefix, parse_url(url)) is covered


@pytest.mark.parametrize(
    "prefix", ["h/a", "*", "https://u@h/", "https://h/?x", "https://h/#x", "https://h/?", "https://"]
)
def test_a_prefix_is_a_url_without_more(prefix):
    with pytest.raises(ValueError, match=r"^takes a "):
        covers(prefix, parse_url("https://h/"))
