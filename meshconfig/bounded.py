"""Text and JSON within bounds: what other people stored is read in bounded memory, and what is stored always fits."""

import json
import re
import zlib
from typing import Any, NoReturn

UNPACKED = 8 << 20  # bytes of a gzip member once unpacked; the spec of 10,000 services has half of that
VALUES = 500_000  # of a JSON text: in Python, each takes many times the bytes that it has in JSON
DEPTH = 100  # of lists and mappings in each other; a spec has a dozen
GZIP = 31  # zlib's `wbits` for one gzip member with its header and checksum

_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^][{}"]+', re.DOTALL)


def clip(text: str, limit: int) -> str:
    """The start of a text that takes at most `limit` bytes as UTF-8, with `…` in place of the rest.

    What UTF-8 cannot express (a lone surrogate, as Python makes it of an argument's bytes) becomes `?`.
    """
    data = text.encode(errors="replace")
    if len(data) <= limit:
        return data.decode()
    return data[: limit - len("…".encode())].decode(errors="ignore") + "…"


def one_line(text: str, limit: int = 300) -> str:
    """A text of strangers within a message: one line, at most `limit` bytes, without control characters."""
    return clip(" ".join("".join(one if one.isprintable() else " " for one in text).split()), limit)


def unpack(packed: bytes, limit: int = UNPACKED) -> bytes:
    """Unpacks one gzip member.

    Raises:
        ValueError: it is damaged, or has more than `limit` bytes.
    """
    reader = zlib.decompressobj(GZIP)
    try:
        data = reader.decompress(packed, limit + 1)
    except zlib.error as error:
        raise ValueError(f"no gzip: {error}") from None
    if len(data) > limit:
        raise ValueError(f"unpacked, it has more than {limit >> 20} MiB")
    if not reader.eof or reader.unused_data:
        raise ValueError("no gzip: it ends early" if not reader.eof else "more follows after its end")
    return data


def decode(data: bytes) -> Any:
    """Reads JSON.

    Raises:
        ValueError: it is no JSON by RFC 8259, or too deep or too large to be read.
    """
    if data.count(b",") + data.count(b"[") + data.count(b"{") > VALUES:
        raise ValueError(f"more than {VALUES} values")
    brackets = _STRINGS.sub(b"", data)
    for _ in range(DEPTH):
        if not brackets:
            break
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    if brackets:
        raise ValueError(f"no JSON, or deeper than {DEPTH}")
    return json.loads(data.decode(), parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number in JSON")
