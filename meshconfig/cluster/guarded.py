"""Sends a request to the API server, again where that may help.

For a write that only a lock's holder may make, the lock is checked before each attempt, and limits its time.
"""

from collections.abc import Callable

import urllib3

from meshconfig.cluster.retries import PatientRetry
from meshconfig.exchange import backoff
from meshconfig.exchange.send import Limits, NoAnswerError, Reply
from meshconfig.exchange.send import send as send_once

# Decides before each attempt: returns the seconds that it may take, None for no limit, or raises an error to give up.
Check = Callable[[], float | None]
CONNECT, ANSWER = 5.0, 60.0  # seconds to connect, and seconds for one attempt in all
LARGEST = 256 << 20  # bytes of an answer: ten times all Pods of a large namespace
TRANSIT = 2.0  # seconds that a request may be on its way before the server counts its time
LEAST = TRANSIT + 1.0  # seconds; with less, an attempt would end before it is answered


def is_guarded(method: str, where: str, query: str) -> bool:
    """Whether a request changes something that a lock protects: not the lock itself, a question, or a dry run."""
    asks = method == "GET" or "/selfsubject" in where or "dryRun=" in query
    return not asks and "/coordination.k8s.io/" not in where


def send(
    pool: urllib3.PoolManager,
    method: str,
    url: str,
    headers: dict[str, str],
    body: str | None,
    checks: tuple[Check, ...],
    retries: PatientRetry,
) -> Reply:
    """Send a request, again where the retries say so.

    Where an attempt is checked, the API server gets its limit too, as `timeout` in the URL, and gives up a write that
    takes longer. Without it, a write could still be carried out after this process has given up waiting.
    Source: kube-apiserver, `pkg/endpoints/filters/request_deadline.go`.

    Raises:
        NoAnswerError: the last attempt was not answered.
        Exception: what a check raises; no attempt is under way then.
    """
    while True:
        limit = _limit(checks)
        seconds = min(one for one in (ANSWER, limit, retries.left) if one is not None)
        try:
            outcome: Reply | NoAnswerError = send_once(
                pool,
                method,
                _limited(url, limit),
                limits=Limits(seconds, LARGEST, CONNECT),
                headers=headers,
                body=body,
            )
        except NoAnswerError as error:
            outcome = error
        pause = retries.pause(outcome)
        if pause is not None:
            backoff.sleep(pause)
        elif isinstance(outcome, Reply):
            return outcome
        else:
            raise outcome


def _limit(checks: tuple[Check, ...]) -> float | None:
    limits = [seconds for check in checks if (seconds := check()) is not None]
    return max(min(limits), LEAST) if limits else None


def _limited(url: str, seconds: float | None) -> str:
    return url if seconds is None else f"{url}{'&' if '?' in url else '?'}timeout={int(seconds - TRANSIT)}s"
