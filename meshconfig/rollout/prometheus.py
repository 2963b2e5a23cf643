"""One number from Prometheus' HTTP API, or the reason why there is none.

https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from meshconfig.bounded import decode, one_line
from meshconfig.errors import GraylaneError
from meshconfig.exchange.allowed import Allowed
from meshconfig.exchange.connections import AddressRefusedError, restricted
from meshconfig.exchange.send import Limits, NoAnswerError, Reply, send
from meshconfig.exchange.urls import Url, parse_url, shown_url
from meshconfig.rollout.analysis import Reading, judge
from meshconfig.rollout.queries import filled
from meshconfig.spec.rollout import Metric

LIMITS = Limits(seconds=10.0, size=2 << 20)  # one number takes 200 bytes; an error may name many series
STALE = 60.0  # seconds; a cache or a proxy in between may give an old answer
FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


Series = list[tuple[Mapping[str, str], float]]


class Sample(NamedTuple):
    """A number, or `why` there is none."""

    value: float | None
    why: str = ""


class Prometheus:
    """A Prometheus server.

    Parameters:
        url: may have a user name and a password, which are sent as a header.
        allowed: the hosts that may be reached beside public ones.
        limits: of each query.
    """

    def __init__(self, url: str, allowed: Allowed, *, limits: Limits = LIMITS) -> None:
        self._name, self._limits = shown_url(url), limits
        self._url: Url | None = None
        try:
            self._url = parse_url(url)
        except ValueError as error:
            self._wrong = str(error)
        self._pool = restricted(allowed)

    def read(self, metric: Metric, service: str, values: Mapping[str, str], now: datetime) -> Reading:
        """Makes one measurement. Any error on the way to a number gives "no data", with the reason.

        Parameters:
            values: for the placeholders of the metric, as `queries.values` gives them for the service.
        """
        value, why = self.sample(filled(metric, values), now)
        return judge(metric, service, value, why)

    def sample(self, promql: str, now: datetime) -> Sample:
        answer = self._ask(promql)
        return Sample(None, answer) if isinstance(answer, str) else parse(answer.status, answer.data, now)

    def series(self, promql: str) -> Series:
        """The series that a query gives, each with its labels and its value.

        Raises:
            GraylaneError: there is no answer, or it is not one to an instant query for a vector.
        """
        answer = self._ask(promql)
        found = answer if isinstance(answer, str) else parse_series(answer.status, answer.data)
        if isinstance(found, str):
            raise GraylaneError(found if found.startswith(self._name) else f"{self._name}: {found}")
        return found

    def _ask(self, promql: str) -> Reply | str:
        """The answer to a query, or why there is none."""
        if self._url is None:
            return f"{self._name}: {self._wrong}"
        url = f"{self._url.origin}{self._url.path.rstrip('/')}/api/v1/query"
        headers = {**FORM, **self._url.authorization}
        try:
            # By POST, because a proxy may refuse a URL as long as a query can be.
            body = urlencode({"query": promql})
            answer = send(self._pool, "POST", url, limits=self._limits, headers=headers, body=body)
        except (NoAnswerError, AddressRefusedError) as error:
            return f"{self._name}: {error}"
        if answer.location:
            return f"HTTP {answer.status}: a redirect to {shown_url(answer.location)} is not followed"
        return answer

    def close(self) -> None:
        self._pool.clear()


def parse(status: int, data: bytes, now: datetime) -> Sample:
    """Reads the number from an answer of the API."""
    answer = _data(status, data)
    if isinstance(answer, str):
        return Sample(None, answer)
    try:
        return _number(answer["data"], now)
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError):
        return Sample(None, "not an answer of Prometheus to an instant query")


def parse_series(status: int, data: bytes) -> Series | str:
    """Reads the series from an answer of the API; a text says why there are none."""
    answer = _data(status, data)
    if isinstance(answer, str):
        return answer
    try:
        if answer["data"]["resultType"] != "vector":
            return "not an answer of Prometheus to an instant query for a vector"
        return [({**one["metric"]}, float(one["value"][1])) for one in answer["data"]["result"]]
    except (LookupError, TypeError, ValueError):
        return "not an answer of Prometheus to an instant query for a vector"


def _data(status: int, data: bytes) -> Mapping[str, Any] | str:
    try:
        answer = decode(data)
    except ValueError:
        return f"HTTP {status}, and not Prometheus' JSON"
    if not isinstance(answer, dict) or answer.get("status") != "success":
        error = answer.get("error") if isinstance(answer, dict) else None
        return f"HTTP {status}: {one_line(str(error)) if error else 'not an answer of Prometheus'}"
    return answer


def _number(data: Any, now: datetime) -> Sample:
    if data["resultType"] == "scalar":
        return _fresh(data["result"], now)
    if data["resultType"] != "vector":
        return Sample(None, f"the query gives a {one_line(str(data['resultType']), 80)}, not one number")
    if not data["result"]:
        return Sample(None, "the query gives nothing")
    if len(data["result"]) > 1:
        return Sample(None, f"the query gives {len(data['result'])} series, not one: aggregate them, as by sum(…)")
    return _fresh(data["result"][0]["value"], now)


def _fresh(pair: Any, now: datetime) -> Sample:
    at, value = pair
    age = now.timestamp() - float(at)
    if not age <= STALE:  # neither is NaN
        return Sample(None, f"the answer is {age:.0f} s old by this clock")
    return Sample(float(value))
