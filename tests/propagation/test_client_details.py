"""What single client libraries need beyond the common suite."""

import asyncio
import http.client
import pickle
from contextlib import closing
from urllib.request import ProxyHandler, build_opener

import aiohttp
import httpx
import pytest
import requests
import urllib3
from tornado.httpclient import AsyncHTTPClient

from propagation import PropagationConfig, instrument, uninstrument, use
from propagation.clients.requests import PropagatingAdapter
from propagation.clients.urllib3 import PropagatingPoolManager

HERE_ONLY = PropagationConfig(allowed_hosts=("127.0.0.1",))


@pytest.fixture
def _urllib3():
    instrument("urllib3")
    yield
    uninstrument()


def test_requests_pickles_an_adapter_with_its_config():
    again = pickle.loads(pickle.dumps(PropagatingAdapter(config=HERE_ONLY, max_retries=3)))
    assert again._config == HERE_ONLY
    assert again.max_retries.total == 3


def test_requests_shows_what_was_sent_and_leaves_the_prepared_request(server):
    with requests.Session() as session, use(env="gray"):
        session.mount("http://", PropagatingAdapter())
        prepared = session.prepare_request(requests.Request("GET", server.url))
        response = session.send(prepared)
    assert response.request.headers["env"] == "gray"
    assert "env" not in prepared.headers


@pytest.mark.usefixtures("_urllib3")
def test_urllib3_keeps_a_pools_own_headers(server):
    own = {"accept": "text/plain"}
    with urllib3.HTTPConnectionPool("127.0.0.1", server.port, headers=own) as pool, use(env="gray"):
        pool.request("GET", "/")
        pool.urlopen("GET", "/", None, {"accept": "*/*"})
    assert [(seen.all("accept"), seen.ours["env"]) for seen in server.seen] == [
        (["text/plain"], "gray"),
        (["*/*"], "gray"),
    ]
    assert own == {"accept": "text/plain"}


@pytest.mark.usefixtures("_urllib3")
def test_urllib3_adds_to_each_header_of_a_multidict(server):
    headers = urllib3.HTTPHeaderDict([("baggage", "a=1"), ("baggage", "b=2")])
    with urllib3.PoolManager() as pools, use(env="gray"):
        pools.request("GET", server.url, headers=headers)
    assert server.seen[0].all("baggage") == ["env=gray,a=1,b=2"]
    assert headers.getlist("baggage") == ["a=1", "b=2"]


def test_urllib3s_pool_manager_leaves_others_alone(server):
    with PropagatingPoolManager(), urllib3.PoolManager() as plain, use(env="gray"):
        plain.request("GET", server.url)
    assert server.seen[0].ours == {}


def test_clients_that_exist_before_instrument_carry_too(server):
    connection, opener = http.client.HTTPConnection("127.0.0.1", server.port), build_opener(ProxyHandler({}))
    session, pools, client = requests.Session(), urllib3.PoolManager(), httpx.Client(trust_env=False, verify=False)
    session.trust_env = False

    async def main():
        tornado = AsyncHTTPClient(force_instance=True)
        async with aiohttp.ClientSession() as made:
            instrument()
            with use(env="gray"):
                await tornado.fetch(server.url)
                (await made.get(server.url)).close()
        tornado.close()

    try:
        asyncio.run(main())
        with use(env="gray"), closing(connection), session, pools, client:
            connection.request("GET", "/")
            connection.getresponse().read()
            opener.open(server.url).close()
            session.get(server.url)
            pools.request("GET", server.url)
            client.get(server.url)
    finally:
        uninstrument()
    assert [seen.all("env") for seen in server.seen] == [["gray"]] * 7
