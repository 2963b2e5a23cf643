"""Sends the requests of cases to a gateway."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx

from meshconfig.errors import GraylaneError, InputError
from meshconfig.route_tests.resolve import ResolvedCase
from meshconfig.route_tests.sent import Answer, read_answer
from meshconfig.simulate import Request

REQUESTS = 500
_LARGEST = 1 << 20  # bytes of an answer that are read
_TIMEOUT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests are sent. `scheme`: empty where each case says its own."""

    scheme: str
    authority: str

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Reads `http://host:port`, or `host:port`.

        Raises:
            InputError: it is neither.
        """
        try:
            parts = urlsplit(text if "//" in text else f"//{text}")
            known = parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError:
            known = False
        rest = parts.path.strip("/") or parts.query or parts.fragment or parts.username if known else "?"
        if not known or rest or parts.scheme not in ("", "http", "https") or any(map(str.isspace, text)):
            raise InputError.at("--send", f"takes the gateway's http://HOST:PORT, or HOST:PORT, not {text!r}")
        return cls(parts.scheme, parts.netloc)


def why_not_sent(case: ResolvedCase, target: Target) -> str | None:
    """Why the request of a case cannot be sent to the gateway; None where it can."""
    if case.request.gateway is None:
        return "its request is sent inside the mesh, and not to a gateway"
    if target.scheme and case.request.scheme != target.scheme:
        return f"its request is of {case.request.scheme}, and --send is of {target.scheme}"
    return None


@dataclass(slots=True)
class Sender:
    """A client of one gateway. It sends the headers of the case and no others, except `Host`."""

    target: Target
    insecure: bool = False
    requests: int = REQUESTS
    _client: httpx.Client = field(init=False, repr=False)

    def __enter__(self) -> Self:
        context = ssl.create_default_context()
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._client = httpx.Client(verify=context, timeout=_TIMEOUT, follow_redirects=False, trust_env=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def answers(self, case: ResolvedCase) -> Sequence[Answer] | str:
        """The answers to the request of a case; or why there is none.

        Raises:
            GraylaneError: the gateway cannot be reached.
        """
        try:
            return [self._answer(case.request) for _ in range(self.requests if case.shares else 1)]
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            said = str(error) or type(error).__name__
            raise GraylaneError(f"the gateway {self.target.authority} cannot be reached: {said}") from None
        except httpx.HTTPError as error:
            return f"no answer came: {type(error).__name__}{f': {error}' if str(error) else ''}"

    def _answer(self, request: Request) -> Answer:
        scheme = self.target.scheme or request.scheme
        made = httpx.Request(
            request.method,
            httpx.URL(f"{scheme}://{self.target.authority}{request.path}"),
            headers=[("host", request.host), *request.pairs],
            extensions={"sni_hostname": request.authority_host, "timeout": httpx.Timeout(_TIMEOUT).as_dict()},
        )
        response = self._client.send(made, stream=True)
        try:
            body = b""
            for part in response.iter_bytes():
                body += part
                if len(body) > _LARGEST:
                    break
        finally:
            response.close()
        headers = [(name.lower(), value) for name, value in response.headers.multi_items()]
        return read_answer(response.status_code, headers, body, f"{request.scheme}://{request.host}{request.path}")
