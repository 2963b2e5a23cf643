"""When a request to the API server is sent again, and in words why none was answered."""

from threading import Event

from urllib3.exceptions import NameResolutionError, NewConnectionError, SSLError

from meshconfig.exchange.backoff import AGAIN, TOO_MANY, Backoff
from meshconfig.exchange.reasons import NO_TLS, innermost, is_timeout, tls
from meshconfig.exchange.send import BodyError, NoAnswerError, Reply

SECONDS = 25.0  # in sum, for all retries of one request
PAUSES = (0.0, 0.4, 0.8, 1.6, 3.2, 6.4, 8.0)
FIRST_ERRORS, FIRST_STATUSES = 2, 4  # retries before the first answer: half a second, and three seconds

_HINTS = {10: "renew it", 62: "set tls-server-name, or use a name that is in it"}


class PatientRetry:
    """Retries of one request, for 25 seconds once the server has answered; before, for half a second.

    A change goes on while an API server restarts. But a server that has never answered is most likely the wrong one,
    and a certificate that nobody trusts stays so. Sending a request twice does no harm: writes are idempotent or
    compare-and-swap.

    Parameters:
        answered: set once the server has answered any request of the client.
    """

    def __init__(self, answered: Event) -> None:
        self._answered = answered
        self._backoff = Backoff(SECONDS, PAUSES, endless=True)

    @property
    def left(self) -> float | None:
        """Seconds that the next attempt may take; None for the first one."""
        return self._backoff.left

    def pause(self, outcome: Reply | NoAnswerError) -> float | None:
        """Seconds to wait before the request is sent again; None where it is not sent again."""
        if isinstance(outcome, Reply) and outcome.status not in AGAIN:
            self._answered.set()
            return None
        if isinstance(outcome, NoAnswerError) and isinstance(outcome.cause, BodyError):
            return None  # the next answer would be as large
        if not self._answered.is_set() and self._hopeless(outcome):
            return None
        return self._backoff.pause(outcome.headers.get("retry-after", "") if isinstance(outcome, Reply) else "")

    def _hopeless(self, outcome: Reply | NoAnswerError) -> bool:
        if isinstance(outcome, Reply):
            return outcome.status != TOO_MANY and self._backoff.failures >= FIRST_STATUSES
        error = innermost(outcome.cause)
        never = isinstance(error, SSLError | NameResolutionError) or is_timeout(error)
        return never or self._backoff.failures >= FIRST_ERRORS


def cause(error: NoAnswerError, source: str) -> str:
    """Why a request got no answer, and what to do.

    Parameters:
        source: where the server's address and the credentials are from.
    """
    inner = innermost(error.cause)
    if isinstance(inner, NameResolutionError):
        return f"{error}; correct the cluster's server in {source}, or connect to its network"
    if isinstance(inner, SSLError):
        said = tls(inner, _HINTS, "set certificate-authority-data to the cluster's authority")
        if said == NO_TLS:
            return f"{said}; correct the cluster's server in {source}: http:// or another port"
        refused = "certificate is refused" in said
        return f"{said} ({source})" if refused else f"{said}; check the certificates in {source}"
    if is_timeout(inner):
        return f"{error}; check the network, a VPN or firewall before it, and the cluster's server in {source}"
    if isinstance(inner, NewConnectionError):
        return f"{error}; start the cluster, or correct the cluster's server in {source}"
    return str(error)
