"""URLs: read strictly, so that every program on the way sees the same host in them, and shown without their secrets."""

import base64
import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from meshconfig.bounded import one_line

PORTS = {"http": 80, "https": 443}
LONGEST = 4096  # characters
_URL = re.compile(
    r"(?P<scheme>https?)://(?:(?P<user>[^/?#@\\\s]*)@)?(?P<host>\[[0-9a-f:.]+\]|[^/?#@\\:\[\]\s%]+)"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<rest>(?:[/?][^#\\\s]*)?)(?:#\S*)?",
    re.IGNORECASE,
)
_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?\.?")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:@\[\]]*)(:[0-9]*)?")


@dataclass(frozen=True, slots=True)
class Url:
    """A URL of scheme http or https.

    Parameters:
        host: in lower case, without a final dot; an IPv6 address without brackets.
        path: begins with a slash.
        query: without the question mark.
        user: user name and password, `NAME:PASSWORD`, as they are written.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str = field(default="", repr=False)
    user: str = field(default="", repr=False)

    @property
    def origin(self) -> str:
        """Scheme, host and port, such as `https://hooks.example.com`. It has no secrets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == PORTS[self.scheme] else f":{self.port}")

    @property
    def sent(self) -> str:
        """The URL to send a request to: without user name and password."""
        return f"{self.origin}{self.path}" + (f"?{self.query}" if self.query else "")

    @property
    def authorization(self) -> dict[str, str]:
        """The header that sends user name and password; no header without them."""
        if not self.user:
            return {}
        name, _, password = self.user.partition(":")
        pair = f"{unquote(name)}:{unquote(password)}".encode()
        return {"authorization": "Basic " + base64.b64encode(pair).decode()}


def parse_url(text: str) -> Url:
    """Reads a URL.

    Raises:
        ValueError: it is none that can be used; the message says why, and does not repeat the URL.
    """
    if len(text) > LONGEST:
        raise ValueError(f"takes a URL of at most {LONGEST} characters")
    found = _URL.fullmatch(text)
    if not found or not text.isprintable():
        raise ValueError("takes a URL such as https://HOST/PATH, without spaces and backslashes")
    port = int(found["port"] or PORTS[found["scheme"].lower()])
    if not 1 <= port <= 65535:
        raise ValueError(f"takes a port from 1 to 65535, not {port}")
    path, _, query = found["rest"].partition("?")
    return Url(found["scheme"].lower(), _host(found["host"]), port, path or "/", query, found["user"] or "")


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise ValueError("takes an IPv6 address between [ and ]") from None
    try:
        host = text.encode("idna").decode().lower()
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host):
        raise ValueError("takes a host name with labels of 1 to 63 letters, digits and -")
    return host.removesuffix(".")


def covers(prefix: str, url: Url) -> bool:
    """Whether a URL is at or below a prefix: same scheme, host and port, and a path that begins with whole segments.

    `https://hooks.example.com/a` covers `…/a` and `…/a/b`, and not `…/ab`. A path with `.` or `..` as a segment, also
    encoded, is below no prefix.

    Raises:
        ValueError: the prefix is no URL, or has a user name, a query or a fragment.
    """
    above = parse_url(prefix)
    if above.user or above.query or "#" in prefix or "?" in prefix:
        raise ValueError("takes a URL without user name, query and fragment")
    if (above.scheme, above.host, above.port) != (url.scheme, url.host, url.port) or _moves(url.path):
        return False
    start = above.path.rstrip("/")
    return url.path == start or url.path.startswith(start + "/")


def _moves(path: str) -> bool:
    plain = path
    for _ in range(3):  # encoded twice is decoded twice by some servers
        plain = unquote(plain)
    return any(one in (".", "..") for one in re.split(r"[/\\;]", plain))


def shown_url(url: str, *, path: bool = False) -> str:
    """A URL for logs, messages, Events and states: scheme, host and port. `/…` stands for the rest.

    A password, a query and, in a webhook's URL, the path are secrets: whoever knows `https://hooks.slack.com/services/…`
    may write there. It takes any text, also one that is no URL.

    Parameters:
        path: show the path as well. For peers whose path is no secret, such as an API server behind a gateway.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    elif not re.fullmatch("[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return "…"
    authority, slash, more = _split(rest)
    _, at, host = authority.rpartition("@")
    # An @ behind the host may end a password that has an unencoded / or ?.
    if not _AUTHORITY.fullmatch(host) or (not at and "@" in more and ":" in host):
        return f"{scheme}{separator}…"
    kept = re.split(r"[?#]", more, maxsplit=1)[0] if path and slash == "/" and "@" not in more else ""
    hidden = "/…" if more and not path else ""
    tail = "/" + kept.rstrip("/") if kept.strip("/") else hidden
    return one_line(f"{scheme}{separator}{host}{tail}")


def _split(rest: str) -> tuple[str, str, str]:
    found = re.search(r"[/?#\\]", rest)
    return (rest[: found.start()], found[0], rest[found.end() :]) if found else (rest, "", "")
