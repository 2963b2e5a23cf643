"""Whatever a next hop answers, it becomes hops of the chain, never an exception."""

import json

import httpx
from hypothesis import given
from hypothesis import strategies as st

from demo_services.hop import read

URL = "http://mouse-svc:9001/sayHello"
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5
)
documents = values | st.dictionaries(st.sampled_from(["chain", "other"]), values)


@given(st.binary() | documents.map(lambda document: json.dumps(document).encode()) | st.just(b"[" * 100_000))
def test_any_body_becomes_hops(body: bytes) -> None:
    chain = read(URL, httpx.Response(200, content=body))
    try:
        sent = json.loads(body)["chain"]
    except (ValueError, KeyError, TypeError, RecursionError):
        sent = None
    if not isinstance(sent, list):
        sent = [{"service": None, "url": URL, "status": 200, "error": "the answer is not JSON with a chain"}]
    assert chain == sent


@given(st.integers(100, 599).filter(lambda status: status != 200))
def test_any_other_status_is_reported(status: int) -> None:
    (hop,) = read(URL, httpx.Response(status, content=b'{"chain": []}'))
    assert (hop["service"], hop["url"], hop["status"]) == (None, URL, status)
