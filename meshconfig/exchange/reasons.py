"""In words, why a request got no answer. What urllib3 says of it has the whole URL, and the address twice."""

import ssl
from collections.abc import Mapping
from http.client import HTTPException
from types import MappingProxyType

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    IncompleteRead,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from meshconfig.bounded import one_line

NO_TLS = "it does not speak TLS"
_NOTHING: Mapping[int, str] = MappingProxyType({})


def innermost(error: BaseException) -> BaseException:
    """The error that urllib3 wrapped into those of its retries and its proxy."""
    if isinstance(error, MaxRetryError) and error.reason:
        return innermost(error.reason)
    return innermost(error.original_error) if isinstance(error, ProxyError) else error


def is_timeout(error: BaseException) -> bool:
    refused = isinstance(error, NewConnectionError)  # urllib3 derives it from ConnectTimeoutError
    return isinstance(error, ConnectTimeoutError | ReadTimeoutError | TimeoutError) and not refused


def reason(error: BaseException, seconds: float) -> str:
    """Why there is no answer: one line without any part of the URL.

    Parameters:
        error: what urllib3, http.client or the operating system raised.
        seconds: the time that the exchange had.
    """
    error = innermost(error)
    if isinstance(error, NameResolutionError):
        return "its host name is not known"
    if isinstance(error, SSLError | ssl.SSLError):
        return tls(error)
    if is_timeout(error):
        return f"timed out: no complete answer within {seconds:g} s"
    if isinstance(error, IncompleteRead) or isinstance(error.__cause__, IncompleteRead):
        return "the connection ended before the answer was complete"
    for below in (error.__cause__, error.__context__, *error.args, error):
        if isinstance(below, OSError) and below.strerror:
            return one_line(below.strerror.lower())
    if isinstance(error, ProtocolError | HTTPException):
        return "the connection ended, or what answers does not speak HTTP"
    return type(error).__name__ if isinstance(error, HTTPError) else one_line(str(error)) or type(error).__name__


def tls(error: BaseException, hints: Mapping[int, str] = _NOTHING, otherwise: str = "") -> str:
    """Why there is no encrypted connection.

    Parameters:
        hints: OpenSSL's code of what is wrong with a certificate → what to do. `otherwise` is for all others.
    """
    below = error.args[0] if isinstance(error, SSLError) and error.args else error
    if isinstance(below, ssl.SSLCertVerificationError):
        hint = hints.get(below.verify_code, otherwise)
        return f"its certificate is refused ({one_line(below.verify_message)})" + (f": {hint}" if hint else "")
    said = one_line(str(getattr(below, "reason", None) or below)).replace("_", " ").lower()
    if "wrong version number" in said or "record layer failure" in said:
        return NO_TLS
    return f"TLS failed ({said})"
