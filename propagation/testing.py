"""A pytest plugin: does an app carry the tag on?

pytest loads this module in every run of an environment in which this package is installed, so it loads as little as it
can, and reads no configuration before a test asks for it.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from propagation.config import PropagationConfig, default_config

if TYPE_CHECKING:
    from propagation.probe.recorder import Call


def assert_propagates(
    app: Any,
    path: str = "/",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    field: str | None = None,
    config: PropagationConfig | None = None,
    reply: bytes = b"{}",
    timeout: float = 30.0,
) -> list["Call"]:
    """Assert that an ASGI or WSGI app reads the tag, sends it on with each call, and keeps none of it for the next.

    The app is sent three requests, with two values and with none. Meanwhile every TCP connection of this process ends
    at a server that answers each request with `reply` and status 200, so no peer is needed; calls that tests answer
    themselves, by a mock transport say, are not seen. Gives the calls that the first request led to.

    field: default, the tag. config: by what to judge; default, that of the environment. timeout: seconds for the start
    of an ASGI app and for each request. Raises AssertionError with all that is wrong, a line each: "lost" where the tag
    is missing, "LEAK" where it must not be, "fail" where the app gives nothing to judge, such as errors alone. Raises
    PropagationError for what is no app.
    """
    from propagation.probe.app import try_app

    tried = try_app(
        app,
        path,
        method=method,
        headers=headers,
        body=body,
        field=field,
        config=default_config() if config is None else config,
        reply=reply,
        timeout=timeout,
    )
    wrong = [str(fault) for one in tried for fault in one.wrong]
    if wrong:
        raise AssertionError("\n".join(["the app does not carry the tag as it should:", *wrong]))
    return tried[0].outcome.calls


@pytest.fixture(name="assert_propagates")
def _assert_propagates() -> Callable[..., list["Call"]]:
    """`propagation.testing.assert_propagates`, without an import."""
    return assert_propagates
