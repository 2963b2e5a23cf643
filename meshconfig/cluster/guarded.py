"""Sends a write that only a lock's holder may make: the lock is checked before each attempt, and limits its time."""

import json
from collections.abc import Callable
from typing import Any

import urllib3
from kubernetes.client import ApiClient
from kubernetes.client.rest import RESTResponse
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util.retry import Retry

# Decides before each attempt: returns the seconds that it may take, None for no limit, or raises an error to give up.
Check = Callable[[], float | None]
CONNECT, ANSWER = 5.0, 60.0  # seconds to connect, and seconds between two bytes of the answer
TRANSIT = 2.0  # seconds that a request may be on its way before the server counts its time
LEAST = TRANSIT + 1.0  # seconds; with less, an attempt would end before it is answered


def is_guarded(method: str, where: str, query: str) -> bool:
    """Whether a request changes something that a lock protects: not the lock itself, a question, or a dry run."""
    asks = method == "GET" or "/selfsubject" in where or "dryRun=" in query
    return not asks and "/coordination.k8s.io/" not in where


def send(
    api: ApiClient, method: str, url: str, headers: dict[str, str], body: Any, checks: tuple[Check, ...]
) -> RESTResponse:
    """Send a request, again where the client's retries say so.

    The API server gets the limit of each attempt too, as `timeout` in the URL, and gives up a write that takes longer.
    Without it, a write could still be carried out after this process has given up waiting.
    Source: kube-apiserver, `pkg/endpoints/filters/request_deadline.go`.

    Raises:
        HTTPError: no attempt was answered.
        Exception: what a check raises; no attempt is under way then.
    """
    pool = api.rest_client.pool_manager
    retries = Retry.from_int(api.configuration.retries)
    text = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
    while True:
        seconds = _limit(checks)
        try:
            # urllib3's own retries would check nothing in between.
            reply = pool.request(
                method,
                _limited(url, seconds),
                body=text,
                headers=headers,
                timeout=_timeout(seconds),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except HTTPError as error:
            retries = retries.increment(method, url, error=error, _pool=pool.connection_from_url(url))
            retries.sleep()
            continue
        if not retries.is_retry(method, reply.status, "Retry-After" in reply.headers):
            return RESTResponse(reply)
        try:
            retries = retries.increment(method, url, response=reply, _pool=pool.connection_from_url(url))
        except MaxRetryError:
            return RESTResponse(reply)
        reply.drain_conn()
        retries.sleep(reply)


def _limit(checks: tuple[Check, ...]) -> float | None:
    limits = [seconds for check in checks if (seconds := check()) is not None]
    return max(min(limits), LEAST) if limits else None


def _limited(url: str, seconds: float | None) -> str:
    return url if seconds is None else f"{url}{'&' if '?' in url else '?'}timeout={int(seconds - TRANSIT)}s"


def _timeout(seconds: float | None) -> urllib3.Timeout:
    if seconds is None:
        return urllib3.Timeout(connect=CONNECT, read=ANSWER)
    return urllib3.Timeout(connect=min(CONNECT, seconds), total=seconds)
