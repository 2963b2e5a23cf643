"""The message that a webhook gets for a log entry: JSON, signed as https://www.standardwebhooks.com defines.

`webhook-id` is the same for each attempt and each runner, so that a receiver can drop duplicates.
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import httpx

from meshconfig.rollout.state import LogEntry, State
from meshconfig.spec.rollout import Webhook

ATTEMPTS = 5
FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0
TIMEOUT = 10.0
PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Message:
    """A request's body and headers."""

    body: bytes
    headers: dict[str, str]


def message(state: State, entry: LogEntry, *, secret: str | None, now: datetime) -> Message:
    """The message for one entry of the log.

    Parameters:
        secret: `whsec_` and base64, or any text. None leaves the message unsigned.
    """
    body = json.dumps(_content(state, entry), separators=(",", ":"), ensure_ascii=False).encode()
    metadata = state.rollout.metadata
    name = f"{metadata.namespace}.{metadata.name}.{state.generation}.{entry.number}"
    stamp = str(int(now.timestamp()))
    headers = {"content-type": "application/json", "webhook-id": name, "webhook-timestamp": stamp}
    if secret is not None:
        headers["webhook-signature"] = signature(secret, name, stamp, body)
    return Message(body, headers)


def _content(state: State, entry: LogEntry) -> dict[str, object]:
    spec, metadata = state.rollout.spec, state.rollout.metadata
    return {
        "type": "rollout.transition",
        "timestamp": entry.at.isoformat(),
        "data": {
            "namespace": metadata.namespace,
            "name": metadata.name,
            "generation": state.generation,
            "group": spec.group,
            "services": {name: {"from": move.from_, "to": move.to} for name, move in spec.services.items()},
            **entry.model_dump(mode="json", exclude={"at"}),
        },
    }


def signature(secret: str, name: str, stamp: str, body: bytes) -> str:
    """The value of the header `webhook-signature`: HMAC-SHA256 of `ID.TIMESTAMP.BODY`.

    Parameters:
        name: the message's `webhook-id`.
        stamp: seconds since 1970, as text.
    """
    digest = hmac.new(_key(secret), f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _key(secret: str) -> bytes:
    if secret.startswith(PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def waits(attempts: int = ATTEMPTS) -> Iterator[float]:
    """Seconds between one attempt and the next."""
    for number in range(attempts - 1):
        yield min(FIRST_WAIT * 2**number, LONGEST_WAIT)


def send(webhook: Webhook, sent: Message, *, sleep: Callable[[float], object] = time.sleep) -> str:
    """Sends a message, and tries again where that may help.

    Returns:
        The last error, empty where the message arrived. None is raised: no rollout waits for a webhook's receiver.
    """
    wrong = ""
    with httpx.Client(timeout=TIMEOUT) as client:
        for wait in (*waits(), None):
            wrong, again = _attempt(client, webhook, sent)
            if not wrong or not again or wait is None:
                break
            sleep(wait)
    return wrong


def _attempt(client: httpx.Client, webhook: Webhook, sent: Message) -> tuple[str, bool]:
    """The error, empty for none, and whether another attempt may help."""
    try:
        answer = client.post(webhook.url, content=sent.body, headers=sent.headers)
    except httpx.HTTPError as error:
        return f"{webhook.url}: {str(error) or type(error).__name__}", True
    if answer.is_success:
        return "", False
    return f"{webhook.url}: HTTP {answer.status_code}", answer.status_code in (408, 429) or answer.status_code >= 500
