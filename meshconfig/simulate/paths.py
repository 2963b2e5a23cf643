"""How Envoy normalizes a request's path before it matches routes, and how it rewrites the path.

Measured on Envoy 1.40 with Istio's settings (`normalize_path`): `/a/../b` becomes `/b`, `%61` becomes `a`, `\\` becomes
`/`. `%2F` and `//` stay, and so does the query. Envoy answers 400 to `#` and to non-ASCII characters.
"""

import re

from meshconfig.istio import HTTPMatchRequest, HTTPRewrite
from meshconfig.istio.strings import UnknownError, compiled

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def is_valid(path: str) -> bool:
    """Whether Envoy accepts this as a request's path."""
    return path.startswith("/") and "#" not in path and all("!" <= char <= "~" for char in path)


def normalized(path: str) -> str:
    """The path after Envoy's normalization; the query stays as it is."""
    path, mark, query = path.partition("?")
    path = _ESCAPE.sub(_unescaped, path).replace("\\", "/")
    if "/." in path:
        path = _without_dots(path)
    return path + mark + query


def without_query(path: str) -> str:
    """The path without its query."""
    return path.partition("?")[0]


def rewritten(path: str, rewrite: HTTPRewrite | None, match: HTTPMatchRequest | None) -> str:
    """The path after the route's rewrite.

    A rewrite with `uri` replaces the part that the match names: a prefix, or the whole path for `exact` and `regex`, or
    the leading `/` for a match without `uri`. A regex rewrite replaces every hit in the path. The query stays.

    Parameters:
        path: the normalized path with its query.
        rewrite: None for a route without a rewrite.
        match: the match that held; None for a route without matches.

    Raises:
        UnknownError: RE2 refuses the regex.
    """
    if rewrite is None:
        return path
    plain, mark, query = path.partition("?")
    if (regex := rewrite.uri_regex_rewrite) is not None:
        plain = replaced(plain, regex.match, regex.rewrite)
    elif rewrite.uri:
        plain = rewrite.uri + plain[_matched_length(plain, match) :]
    return plain + mark + query


def replaced(text: str, pattern: str, substitution: str) -> str:
    """Replaces every hit as RE2's GlobalReplace does: an empty hit directly behind another hit does not count.

    Raises:
        UnknownError: RE2 refuses the regex.
    """
    program = compiled(pattern)
    if program is None:
        raise UnknownError(f"RE2 refuses the regex {pattern!r}")
    out, position, end = "", 0, -1
    while position <= len(text) and (hit := program.search(text, position)):
        if hit.end() == hit.start() == end:
            out, position = out + text[position : position + 1], position + 1
            end = -1
            continue
        out += text[position : hit.start()] + _expanded(hit, substitution)
        position = end = hit.end()
    return out + text[position:]


def _unescaped(escape: re.Match[str]) -> str:
    char = chr(int(escape[1], 16))
    return char if char in _UNRESERVED else escape[0]


def _without_dots(path: str) -> str:
    parts = path.split("/")[1:]
    kept: list[str] = []
    for part in parts:
        if part == "..":
            kept = kept[:-1]
        elif part != ".":
            kept.append(part)
    if parts[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _matched_length(path: str, match: HTTPMatchRequest | None) -> int:
    uri = match.uri if match else None
    if uri is None or (uri.prefix is None and uri.exact is None and uri.regex is None):
        return 1
    return len(path) if uri.prefix is None else len(uri.prefix)


def _expanded(hit: "re.Match[str]", substitution: str) -> str:
    def one(escape: re.Match[str]) -> str:
        return escape[1] if escape[1] == "\\" else hit.group(int(escape[1])) or ""

    return re.sub(r"\\([0-9\\])", one, substitution)
