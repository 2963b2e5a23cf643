"""One request and its answer: within a time for the whole exchange and a number of bytes, without redirects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException

import urllib3
from urllib3.exceptions import HTTPError

from meshconfig.bounded import unpack
from meshconfig.errors import GraylaneError
from meshconfig.exchange.reasons import reason

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one exchange.

    Parameters:
        seconds: from the first attempt to connect until the last byte of the answer.
        size: bytes of the answer's body, also once it is unpacked. 0: the body is not read.
        connect: seconds of these to connect.
    """

    seconds: float
    size: int
    connect: float = 5.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    data: bytes = b""

    @property
    def location(self) -> str:
        """Where a redirect leads; empty for every other answer. No redirect is followed."""
        return self.headers.get("location", "") if 300 <= self.status < 400 else ""


class NoAnswerError(GraylaneError):
    """There was no answer within the limits. The message has no part of the URL.

    Parameters:
        cause: what went wrong, for whoever can say more about it.
    """

    def __init__(self, message: str, cause: BaseException) -> None:
        self.cause = cause
        super().__init__(message)


class BodyError(ValueError):
    """A body that is too large, or packed in a way that nobody asked for."""


def send(
    pool: urllib3.PoolManager,
    method: str,
    url: str,
    *,
    limits: Limits,
    headers: Mapping[str, str],
    body: bytes | str | None = None,
) -> Reply:
    """Send one request, once.

    Parameters:
        pool: a pool manager that `connections` has bounded.
        url: without user name and password.

    Raises:
        NoAnswerError: there is no answer, or none within the limits.
        AddressRefusedError: the pool may not connect there.
    """
    timeout = urllib3.Timeout(connect=min(limits.connect, limits.seconds), total=limits.seconds)
    try:
        # Redirects are answers: a request has a token or a signature, which is meant for this peer alone.
        raw = pool.request(
            method,
            url,
            body=body,
            headers={"User-Agent": "graylane", "Accept-Encoding": "identity", **headers},
            timeout=timeout,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        whole = False
        try:
            data = _read(raw, limits.size) if limits.size else b""
            whole = bool(limits.size)
        finally:
            if whole:
                raw.release_conn()
            else:
                raw.close()
    except BodyError as error:
        raise NoAnswerError(str(error), error) from None
    except (HTTPError, HTTPException, OSError, ValueError) as error:
        raise NoAnswerError(reason(error, limits.seconds), error) from None
    return Reply(raw.status, raw.headers, data)


def open_stream(
    pool: urllib3.PoolManager, url: str, headers: Mapping[str, str], seconds: float
) -> tuple[int, Iterator[bytes]]:
    """Send a GET, once, whose answer comes bit by bit.

    Parameters:
        seconds: from the first byte that is sent until the connection is given up.

    Returns:
        The status, and the bytes as they arrive. Closing the iterator closes the connection.

    Raises:
        NoAnswerError: there is no answer; also by the iterator, where the connection breaks.
    """
    timeout = urllib3.Timeout(connect=Limits(seconds, 0).connect, total=seconds)
    try:
        raw = pool.request(
            "GET", url, headers=dict(headers), timeout=timeout, retries=False, redirect=False, preload_content=False
        )
    except (HTTPError, HTTPException, OSError, ValueError) as error:
        raise NoAnswerError(reason(error, seconds), error) from None
    return raw.status, _arriving(raw, seconds)


def _arriving(raw: urllib3.BaseHTTPResponse, seconds: float) -> Iterator[bytes]:
    try:
        yield from raw.stream(CHUNK, decode_content=False)
    except (HTTPError, HTTPException, OSError, ValueError) as error:
        raise NoAnswerError(reason(error, seconds), error) from None
    finally:
        raw.close()


def _read(raw: urllib3.BaseHTTPResponse, size: int) -> bytes:
    """The body, unpacked.

    Raises:
        BodyError: it is larger than `size`, or cannot be unpacked.
    """
    chunks, total = [], 0
    # urllib3 would unpack all that one chunk holds, a thousand times its size.
    while chunk := raw.read(CHUNK, decode_content=False):
        total += len(chunk)
        if total > size:
            raise BodyError(f"the answer has more than {shown_size(size)}")
        chunks.append(chunk)
    data = b"".join(chunks)
    packing = raw.headers.get("content-encoding", "identity").strip().lower()
    if packing in ("identity", ""):
        return data
    if packing not in ("gzip", "x-gzip"):
        raise BodyError("the answer is packed in a way that was not asked for")
    try:
        return unpack(data, size)
    except ValueError as error:
        raise BodyError(f"the answer cannot be unpacked: {error}") from None


def shown_size(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"
