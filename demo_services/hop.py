"""What both apps share: what one hop says of itself, and how the answer of the next hop is read."""

import random
from dataclasses import dataclass
from typing import Any

import httpx

from propagation import get

Hop = dict[str, Any]  # {"service", "env", "saw"}; of a hop that failed {"service", "url", "status", "error"}

# httpx keeps 20 idle connections by default; under load the others would be opened anew for each request.
LIMITS = httpx.Limits(max_connections=256, max_keepalive_connections=256)
RETRIES = 1  # to connect: a name may not be found while a cluster's DNS changes; no request is sent twice


@dataclass(frozen=True)
class Service:
    """One process: what it calls itself, and how it behaves.

    name, env: the service and its version, as the answer shows them.
    tag: the remote field whose value the answer shows as `saw`.
    urls: the next hops, asked in this order.
    timeout: seconds after which a next hop has failed.
    delay: seconds before each answer.
    fail_rate: percent of the requests that are answered with 500.
    """

    name: str
    env: str
    tag: str
    urls: tuple[str, ...] = ()
    timeout: float = 5.0
    delay: float = 0.0
    fail_rate: float = 0.0

    def hop(self) -> Hop:
        """This process in the chain; `saw` is of the request being served, so ask anew for each."""
        return {"service": self.name, "env": self.env, "saw": get(self.tag)}

    def fails(self) -> bool:
        """Whether this request is one of the share that fails."""
        return random.random() * 100 < self.fail_rate


def read(url: str, response: httpx.Response) -> list[Hop]:
    """The chain in the next hop's answer, or one failed hop where there is none."""
    if response.status_code != 200:
        return failed(url, response.status_code, f"answered {response.status_code}")
    try:
        chain = response.json()["chain"]
    except (ValueError, KeyError, TypeError, RecursionError):
        chain = None
    return chain if isinstance(chain, list) else failed(url, 200, "the answer is not JSON with a chain")


def unreachable(url: str, error: httpx.HTTPError) -> list[Hop]:
    """The failed hop of a call that got no answer, and so has no status."""
    return failed(url, None, f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def failed(url: str, status: int | None, error: str) -> list[Hop]:
    """The chain behind `url` when nobody there says who it is: one hop, with the reason."""
    return [{"service": None, "url": url, "status": status, "error": error}]
