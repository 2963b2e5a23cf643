"""By a proxy, the host that counts is the one that was asked for; the server on loopback plays the proxy."""

import asyncio

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3

from propagation import PropagationConfig, instrument, uninstrument, use
from propagation.clients.requests import PropagatingAdapter

TARGET = "http://mouse-svc:9002/sayHello"


def by_httpx(proxy, library=httpx):
    with library.Client(proxy=proxy, verify=False) as client:
        client.get(TARGET)


def by_httpx2(proxy):
    by_httpx(proxy, httpx2)


def by_requests(proxy):
    with requests.Session() as session:
        session.get(TARGET, proxies={"http": proxy})


def by_urllib3(proxy):
    with urllib3.ProxyManager(proxy) as pools:
        pools.request("GET", TARGET)


def by_aiohttp(proxy):
    async def main():
        async with aiohttp.ClientSession() as session, session.get(TARGET, proxy=proxy):
            pass

    asyncio.run(main())


@pytest.mark.parametrize(
    ("allowed", "expected"), [("mouse-svc", {"env": "gray", "baggage": "env=gray"}), ("127.0.0.1", {})]
)
@pytest.mark.parametrize("library", ["httpx", "httpx2", "requests", "urllib3", "aiohttp"])
def test_the_host_that_was_asked_for_counts(library, allowed, expected, server):
    instrument(library, config=PropagationConfig(allowed_hosts=(allowed,)))
    try:
        with use(env="gray"):
            globals()[f"by_{library}"](server.url)
    finally:
        uninstrument()
    (seen,) = server.seen
    assert seen.path == TARGET
    assert seen.ours == expected


def test_an_adapter_for_requests_by_a_proxy(server):
    with requests.Session() as session, use(env="gray"):
        session.mount("http://", PropagatingAdapter(config=PropagationConfig(allowed_hosts=("mouse-svc",))))
        session.get(TARGET, proxies={"http": server.url})
    assert server.seen[0].ours["env"] == "gray"


def test_a_whole_url_through_a_strangers_pool_carries_nothing(server):
    # What a redirect may ask of a pool that does not insist on its host.
    instrument("urllib3", config=PropagationConfig(allowed_hosts=("mouse-svc",)))
    try:
        with urllib3.HTTPConnectionPool("127.0.0.1", server.port) as pool, use(env="gray"):
            pool.urlopen("GET", TARGET, assert_same_host=False)
    finally:
        uninstrument()
    assert server.seen[0].ours == {}
