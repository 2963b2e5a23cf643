"""The table of libraries in the reference: from the registry's descriptors, and from OTHERS, with how each is tried.

A function of OTHERS sends one request to a URL, or gives the value of `env` where the work has come to.
"""

import asyncio
import http.client
import io
import multiprocessing
import urllib.request
import xmlrpc.client
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import NamedTuple

from propagation import get, inject
from propagation.registry import REGISTRY, Carried, descriptor, is_installed

HEAD = ["library", "sends", "receives", "name for `instrument`", "by hand"]


class Other(NamedTuple):
    """What the registry has no entry for. by: the entry that carries it. plain: its use without a recipe."""

    carried: Carried
    how: str
    send: object
    by: str | None = None
    plain: object = None


def tasks():
    async def main():
        return await asyncio.create_task(asyncio.to_thread(get, "env"))

    return asyncio.run(main())


def anyio_threads():
    import anyio

    async def main():
        return await anyio.to_thread.run_sync(get, "env")

    return anyio.run(main)


def asgiref():
    from asgiref.sync import async_to_sync, sync_to_async

    return async_to_sync(sync_to_async(get))("env")


def kubernetes(url):
    from kubernetes.client import ApiClient, Configuration, CoreV1Api

    with ApiClient(Configuration(host=url)) as client:
        CoreV1Api(client).list_namespace(_preload_content=False)


def requests_oauthlib(url):
    from requests_oauthlib import OAuth1Session

    with OAuth1Session("cat", "secret") as session:
        session.get(url)


def aiohttp_retry(url):
    from aiohttp_retry import RetryClient

    async def main():
        async with RetryClient() as client, client.get(url):
            pass

    asyncio.run(main())


def urllib_request(url):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url):
        pass


def xml_rpc(url):
    with suppress(Exception), xmlrpc.client.ServerProxy(url) as proxy:  # the answer is no XML
        proxy.hello()


def httplib2(url):
    import httplib2

    client = httplib2.Http(proxy_info=None)
    client.request(url)
    client.close()


def slack_sdk(url):
    import slack_sdk

    with suppress(Exception):  # the answer is not Slack's
        slack_sdk.WebClient("x", base_url=f"{url}/").api_test()


def pycurl(url, headers=None):
    import pycurl

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in (headers or {}).items()])
    curl.setopt(pycurl.WRITEDATA, io.BytesIO())
    curl.perform()
    curl.close()


def curl_cffi(url, headers=None):
    import curl_cffi

    with curl_cffi.Session() as session:
        session.get(url, headers=headers)


def websocket_client(url, headers=None):
    import websocket

    with suppress(Exception):  # the server speaks HTTP alone
        websocket.create_connection(url.replace("http", "ws"), header=headers or {})


def by_hand(url, headers):
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    connection.request("GET", "/", headers=headers)
    connection.getresponse().read()
    connection.close()


def process():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(get, "env").result()


def with_headers(send):
    return lambda url: send(url, inject({}, url))


OTHERS = {
    "asyncio tasks, `asyncio.to_thread`": Other(Carried.ITSELF, "", tasks),
    "anyio's threads, as for sync endpoints of Starlette and FastAPI": Other(Carried.ITSELF, "", anyio_threads),
    "asgiref's `sync_to_async`, as in Django": Other(Carried.ITSELF, "", asgiref),
    "kubernetes": Other(Carried.INSTRUMENT, "built on urllib3", kubernetes, "urllib3"),
    "requests-oauthlib": Other(Carried.INSTRUMENT, "built on requests", requests_oauthlib, "requests"),
    "aiohttp-retry": Other(Carried.INSTRUMENT, "built on aiohttp", aiohttp_retry, "aiohttp"),
    "urllib.request": Other(Carried.INSTRUMENT, "built on http.client", urllib_request, "http_client"),
    "xmlrpc.client": Other(Carried.INSTRUMENT, "built on http.client", xml_rpc, "http_client"),
    "httplib2": Other(Carried.INSTRUMENT, "built on http.client", httplib2, "http_client"),
    "slack-sdk": Other(Carried.INSTRUMENT, "built on http.client", slack_sdk, "http_client"),
    "pycurl": Other(
        Carried.RECIPE,
        '`curl.setopt(curl.HTTPHEADER, [f"{name}: {value}" for name, value in inject({}, url).items()])`',
        with_headers(pycurl),
        plain=pycurl,
    ),
    "curl_cffi": Other(Carried.RECIPE, "`headers=inject({}, url)`", with_headers(curl_cffi), plain=curl_cffi),
    "websocket-client": Other(
        Carried.RECIPE, "`header=inject({}, url)`", with_headers(websocket_client), plain=websocket_client
    ),
    "any other client": Other(Carried.RECIPE, "`inject(headers, url=…)`", with_headers(by_hand)),
    "worker processes: `ProcessPoolExecutor`, `multiprocessing`": Other(
        Carried.NOT, "give the value as an argument, and `use` it there", process
    ),
}


def entries():
    """The entries of the registry that carry something."""
    return [
        name for name, library in REGISTRY.items() if not library.background and name not in ("threading", "logging")
    ]


def rows(page):
    """Every row as it should be, by library; of a library that is not installed, as the page has it."""
    made = {}
    for name in entries():
        made |= _row(name) if is_installed(name) else {key: row for key, row in page.items() if row[3] == f'`"{name}"`'}
    for library, other in OTHERS.items():
        if other.by is None or other.by in REGISTRY:
            by = f'`"{other.by}"`' if other.by else "–"
            made[library] = [library, other.carried.value, "–", by, other.how or "–"]
    order = [one.value for one in Carried]
    return dict(sorted(made.items(), key=lambda item: min(order.index(x) for x in item[1][1:3] if x in order)))


def _row(name):
    described = descriptor(name)
    library = described.distribution or name.replace("_", ".")
    if name.endswith("_server"):
        library += " servers"
    by_hand = ", ".join(f"`{one.removeprefix('propagation.')}`" for one in described.explicit)
    sends, receives = (one.value if one else "–" for one in (described.sends, described.receives))
    return {library: [library, sends, receives, f'`"{name}"`', by_hand or "–"]}


def parse(text):
    """The rows of a table on a page, by library."""
    cells = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in text.strip().splitlines()]
    return {row[0]: row for row in cells[2:]}


def table(made):
    """The table as it stands on the page."""
    lines = [HEAD, ["---"] * len(HEAD), *made.values()]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines) + "\n"
