"""How a console is reached."""

import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from meshconfig.errors import InputError

LOOPBACK = "127.0.0.1"
PORTS = {"http": 80, "https": 443}  # browsers leave these away, in `Host` and in `Origin`


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a console listens, and as what browsers know it.

    Parameters:
        hosts: the values of `Host` that are answered.
        origins: the values of `Origin` that may send forms.
        secret: stands once in the address that is printed; empty where a proxy has authenticated the person.
        secure: browsers reach it by HTTPS, so that its cookies are for HTTPS alone.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    secret: str = ""
    secure: bool = False

    @classmethod
    def on_loopback(cls, port: int) -> "Settings":
        """For one person on this machine, who has the address with its secret."""
        names = [f"{name}:{port}" for name in (LOOPBACK, "localhost")]
        origins = frozenset(f"http://{name}" for name in names)
        return cls(frozenset(names), origins, secrets.token_urlsafe(24))

    @classmethod
    def behind_proxy(cls, url: str) -> "Settings":
        """For many persons, each with a token of their own.

        Parameters:
            url: how browsers reach it, such as `https://console.example.com`.

        Raises:
            InputError: it is no such URL.
        """
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
        except ValueError:
            usable = False
        if not usable or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
            raise InputError.at(
                "--public", f"takes a URL without a path, such as https://console.example.com, not {url}"
            )
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else str(parts.hostname)
        if parts.port not in (None, PORTS[parts.scheme]):
            host = f"{host}:{parts.port}"
        return cls(frozenset({host}), frozenset({f"{parts.scheme}://{host}"}), secure=parts.scheme == "https")
