"""One number from Prometheus' HTTP API, or the reason why there is none.

https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
"""

import json
from datetime import datetime
from typing import Any, NamedTuple

import httpx

from meshconfig.rollout.analysis import Reading, judge
from meshconfig.rollout.queries import query
from meshconfig.spec.group import LaneGroup
from meshconfig.spec.rollout import Metric, Rollout

TIMEOUT = 10.0
STALE = 60.0  # seconds; a cache or a proxy in between may give an old answer


class Sample(NamedTuple):
    """A number, or `why` there is none."""

    value: float | None
    why: str = ""


class Prometheus:
    """A Prometheus server.

    Parameters:
        timeout: seconds, for connecting and for each part of an answer.
    """

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self._client = httpx.Client(base_url=url.rstrip("/") + "/", timeout=timeout)

    def read(self, metric: Metric, rollout: Rollout, group: LaneGroup, service: str, now: datetime) -> Reading:
        """Makes one measurement. Any error on the way to a number gives "no data", with the reason."""
        value, why = self.sample(query(metric, rollout, group, service), now)
        return judge(metric, service, value, why)

    def sample(self, promql: str, now: datetime) -> Sample:
        try:
            # By POST, because a proxy may refuse a URL as long as a query can be.
            answer = self._client.post("api/v1/query", data={"query": promql})
        except httpx.HTTPError as error:
            return Sample(None, f"{self._client.base_url}: {str(error) or type(error).__name__}")
        return parse(answer.status_code, answer.text, now)

    def close(self) -> None:
        self._client.close()


def parse(status: int, text: str, now: datetime) -> Sample:
    """Reads the number from an answer of the API."""
    try:
        answer = json.loads(text)
    except ValueError:
        return Sample(None, f"HTTP {status}, and not Prometheus' JSON")
    if not isinstance(answer, dict) or answer.get("status") != "success":
        error = answer.get("error") if isinstance(answer, dict) else None
        return Sample(None, f"HTTP {status}: {error or 'not an answer of Prometheus'}")
    try:
        return _number(answer["data"], now)
    except (KeyError, TypeError, ValueError, IndexError):
        return Sample(None, "not an answer of Prometheus to an instant query")


def _number(data: Any, now: datetime) -> Sample:
    if data["resultType"] == "scalar":
        return _fresh(data["result"], now)
    if data["resultType"] != "vector":
        return Sample(None, f"the query gives a {data['resultType']}, not one number")
    if not data["result"]:
        return Sample(None, "the query gives nothing")
    if len(data["result"]) > 1:
        return Sample(None, f"the query gives {len(data['result'])} series, not one: aggregate them, as by sum(…)")
    return _fresh(data["result"][0]["value"], now)


def _fresh(pair: Any, now: datetime) -> Sample:
    at, value = pair
    age = now.timestamp() - float(at)
    if age > STALE:
        return Sample(None, f"the answer is {age:.0f} s old by this clock")
    return Sample(float(value))
