"""Sealed cookies: encrypted and authenticated, so that a browser keeps what it can neither read nor forge.

The key is the process's own. A console that starts anew asks everybody to come in again, and no disk has a key.
"""

import hashlib
import json
import secrets
import zlib
from dataclasses import asdict, dataclass, replace
from typing import Self

from cryptography.fernet import Fernet, InvalidToken

from meshconfig.errors import InputError

LIFE = 12 * 3600  # seconds; a workday
LARGEST = 3800  # bytes of a cookie's value: browsers keep 4096 with its name and attributes


@dataclass(frozen=True, slots=True)
class Session:
    """One browser's visit.

    Parameters:
        csrf: stands in each form of this browser.
        token: a Kubernetes token that the person has pasted in; empty where it comes otherwise.
    """

    csrf: str
    token: str = ""

    @classmethod
    def new(cls) -> Self:
        return cls(secrets.token_urlsafe(18))

    def with_token(self, token: str) -> "Session":
        return replace(self, csrf=secrets.token_urlsafe(18), token=token)

    @property
    def name(self) -> str:
        """What stands for the session where nothing secret may."""
        return hashlib.sha256(self.csrf.encode()).hexdigest()[:16]


class Seal:
    """Seals sessions by a key that nobody else has."""

    def __init__(self) -> None:
        self._fernet = Fernet(Fernet.generate_key())

    def close(self, session: Session) -> str:
        """The cookie's value.

        Raises:
            InputError: the token is longer than what fits into a cookie.
        """
        packed = zlib.compress(json.dumps(asdict(session)).encode())
        sealed = self._fernet.encrypt(packed).decode()
        if len(sealed) > LARGEST:
            raise InputError.at(
                "token", "is longer than what fits into a cookie: have a proxy send it (docs/console.md)"
            )
        return sealed

    def open(self, value: str) -> Session | None:
        """The session in a cookie; None where it is not ours, changed or over."""
        if not value or len(value) > LARGEST:
            return None
        try:
            found = json.loads(zlib.decompress(self._fernet.decrypt(value.encode(), ttl=LIFE)))
            return Session(str(found["csrf"]), str(found["token"]))
        except (InvalidToken, ValueError, KeyError, TypeError, zlib.error):
            return None
