"""Libraries that have no hook: what the docs say to write with them is tried out."""

import io

import curl_cffi
import pycurl
import pytest

from propagation import PropagationConfig, inject, use

NUMERIC = PropagationConfig(allowed_hosts=("127.0.0.0/8",))


def by_pycurl(url, config):
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in inject({}, url, config=config).items()])
    curl.setopt(pycurl.WRITEDATA, io.BytesIO())
    curl.perform()
    curl.close()


def by_curl_cffi(url, config):
    with curl_cffi.Session() as session:
        session.get(url, headers=inject({}, url, config=config))


@pytest.mark.parametrize("send", [by_pycurl, by_curl_cffi])
def test_headers_by_hand(send, server):
    with use(env="gray"):
        send(server.url, NUMERIC)
        send(server.under_another_name, NUMERIC)
    send(server.url, NUMERIC)
    assert [seen.ours for seen in server.seen] == [{"env": "gray", "baggage": "env=gray"}, {}, {}]
