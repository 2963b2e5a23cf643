"""When a request to the API server is sent again, and in words why none was answered."""

import ssl
from threading import Event
from typing import Any, Self

from urllib3 import BaseHTTPResponse
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util.retry import Retry

FIRST_ERRORS, FIRST_STATUSES = 2, 4  # retries before the first answer: half a second, and three seconds
TOO_MANY = 429


class PatientRetry(Retry):
    """Retries for about 25 seconds, once the server has answered; before that, an error is final after half a second.

    A change goes on while an API server restarts. But a server that has never answered is most likely the wrong one,
    and a certificate that nobody trusts stays so. Sending a request twice does no harm: writes are idempotent or
    compare-and-swap.

    Parameters:
        answered: set once the server has answered; urllib3 copies this object for each retry.
    """

    def __init__(self, *args: Any, answered: Event | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.answered = answered or Event()

    @classmethod
    def of_a_client(cls) -> Self:
        return cls(
            total=8,
            backoff_factor=0.2,
            backoff_max=8,
            status_forcelist=(429, 502, 503, 504),
            allowed_methods=None,
            raise_on_status=False,
        )

    def new(self, **settings: Any) -> Self:
        return super().new(answered=self.answered, **settings)

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        again = super().is_retry(method, status_code, has_retry_after)
        if not again:
            self.answered.set()
        return again

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: Any = None,
    ) -> Self:
        if self._final(response, error):
            assert _pool is not None
            raise MaxRetryError(_pool, url, error)
        return super().increment(method, url, response, error, _pool, _stacktrace)

    def _final(self, response: BaseHTTPResponse | None, error: Exception | None) -> bool:
        if self.answered.is_set():
            return False
        if response is not None:
            return response.status != TOO_MANY and len(self.history) >= FIRST_STATUSES
        never = isinstance(error, SSLError | NameResolutionError | ConnectTimeoutError | ReadTimeoutError)
        refused = isinstance(error, NewConnectionError)  # urllib3 derives it from ConnectTimeoutError
        return (never and not refused) or isinstance(error, NameResolutionError) or len(self.history) >= FIRST_ERRORS


def cause(error: Exception, source: str) -> str:
    """Why a request got no answer, and what to do.

    Parameters:
        error: what urllib3 raised.
        source: where the server's address and the credentials are from.
    """
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, ProxyError):
        reason = reason.original_error
    if isinstance(reason, NameResolutionError):
        return f"its host name is not known; correct the cluster's server in {source}, or connect to its network"
    if isinstance(reason, SSLError):
        return _tls(reason.args[0] if reason.args else reason, source)
    text = _text(reason)
    if isinstance(reason, NewConnectionError):
        return f"{text}; start the cluster, or correct the cluster's server in {source}"
    if isinstance(reason, ConnectTimeoutError | ReadTimeoutError):
        return f"{text}; check the network, a VPN or firewall before it, and the cluster's server in {source}"
    return text


def _text(reason: BaseException) -> str:
    """What the operating system says; urllib3 puts the address before it, twice."""
    if isinstance(below := reason.__cause__ or reason.__context__, OSError) and below.strerror:
        return below.strerror.lower()
    said = str(getattr(reason, "reason", None) or reason)
    return said.partition(": ")[2] if said.startswith("<") or "Connection" in said.partition(": ")[0] else said


def _tls(error: object, source: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = {10: "renew it", 62: "set tls-server-name, or use a name that is in it"}.get(error.verify_code)
        hint = hint or "set certificate-authority-data to the cluster's authority"
        return f"its certificate is refused ({error.verify_message}): {hint} ({source})"
    reason = str(getattr(error, "reason", None) or error).replace("_", " ").lower()
    if "wrong version number" in reason or "record layer failure" in reason:
        return f"it does not speak TLS; correct the cluster's server in {source}: http:// or another port"
    return f"TLS failed ({reason}); check the certificates in {source}"
