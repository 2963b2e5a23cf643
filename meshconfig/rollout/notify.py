"""The message that a webhook gets for a log entry: JSON, signed as https://www.standardwebhooks.com defines.

`webhook-id` is the same for each attempt and each runner, so that a receiver can drop duplicates.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import urllib3

from meshconfig.exchange.backoff import AGAIN, Backoff
from meshconfig.exchange.connections import AddressRefusedError
from meshconfig.exchange.send import Limits, NoAnswerError, Reply
from meshconfig.exchange.send import send as send_once
from meshconfig.exchange.urls import Url, shown_url
from meshconfig.rollout.state import LogEntry, State

PAUSES = (1.0, 2.0, 4.0, 8.0)
SECONDS = 30.0  # in sum, for all attempts after the first one
LIMITS = Limits(seconds=10.0, size=0)  # a receiver says all with its status
TIMED_OUT = 408
PREFIX, PRIVATE = b"whsec_", b"whsk_"


class KeyUnusableError(ValueError):
    """A webhook's key cannot be used. The message has no part of it."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request's body and headers."""

    body: bytes
    headers: dict[str, str]


def message(state: State, entry: LogEntry, *, key: bytes | None, now: datetime) -> Message:
    """The message for one entry of the log.

    Parameters:
        key: of the HMAC. None leaves the message unsigned.
    """
    body = json.dumps(_content(state, entry), separators=(",", ":"), ensure_ascii=False).encode()
    metadata = state.rollout.metadata
    name = f"{metadata.namespace}.{metadata.name}.{state.generation}.{entry.number}"
    stamp = str(int(now.timestamp()))
    headers = {"content-type": "application/json", "webhook-id": name, "webhook-timestamp": stamp}
    if key is not None:
        headers["webhook-signature"] = signature(key, name, stamp, body)
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


def signature(key: bytes, name: str, stamp: str, body: bytes) -> str:
    """The value of the header `webhook-signature`: HMAC-SHA256 of `ID.TIMESTAMP.BODY`.

    Parameters:
        name: the message's `webhook-id`.
        stamp: seconds since 1970, as text.
    """
    digest = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def signing_key(data: str) -> bytes:
    """The key of the HMAC.

    Parameters:
        data: a value of a Secret's `data`: base64 of the key, or base64 of `whsec_` and base64 of the key, as the
            receiver's programs show it. A line break at the end of the latter is none of the key's.

    Raises:
        KeyUnusableError: it is empty, or cannot be decoded.
    """
    value = _decoded(data.encode(errors="replace"), "it is no base64")
    if value.startswith(PRIVATE):
        raise KeyUnusableError("whsk_ begins a private key, and messages are signed with a shared one: whsec_…")
    if value.startswith(PREFIX):
        text = value.removeprefix(PREFIX).strip()
        value = _decoded(text + b"=" * (-len(text) % 4), "what follows whsec_ is no base64")
    if not value.strip():
        raise KeyUnusableError("it is empty, and anybody could sign with an empty key")
    return value


def _decoded(value: bytes, wrong: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise KeyUnusableError(wrong) from None


def send(pool: urllib3.PoolManager, url: Url, sent: Message, *, sleep: Callable[[float], object], patient: bool) -> str:
    """Sends a message, and tries again where that may help.

    Parameters:
        pool: makes the connections, to allowed addresses only.
        sleep: waits between two attempts.
        patient: False for one attempt alone.

    Returns:
        The last error, empty where the message arrived. None is raised: no rollout waits for a webhook's receiver.
    """
    backoff = Backoff(SECONDS, PAUSES if patient else ())
    while True:
        seconds = LIMITS.seconds if backoff.left is None else min(LIMITS.seconds, backoff.left)
        headers = {**sent.headers, **url.authorization}
        try:
            limits = Limits(seconds, LIMITS.size, LIMITS.connect)
            reply = send_once(pool, "POST", url.sent, limits=limits, headers=headers, body=sent.body)
            wrong, again, asked = _judged(reply)
        except NoAnswerError as error:
            wrong, again, asked = str(error), True, ""
        except AddressRefusedError as error:
            return str(error)
        pause = backoff.pause(asked) if again else None
        if pause is None:
            return wrong
        sleep(pause)


def _judged(reply: Reply) -> tuple[str, bool, str]:
    """The error, empty for none; whether another attempt may help; and the pause for which the receiver asks."""
    if 200 <= reply.status < 300:
        return "", False, ""
    if reply.location:
        return f"HTTP {reply.status}: a redirect to {shown_url(reply.location)} is not followed", False, ""
    again = reply.status in AGAIN or reply.status == TIMED_OUT or reply.status >= 500
    return f"HTTP {reply.status}", again, reply.headers.get("retry-after", "")
