"""Files, text and JSON within bounds: what others wrote is read in bounded memory, and what is stored always fits.

docs/limits.md lists the bounds for users.
"""

import gzip
import json
import re
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import IO, Any, Generic, NoReturn, TypeVar

UNPACKED = 8 << 20  # bytes of a gzip member once unpacked; the spec of 10,000 services has half of that
VALUES = 250_000  # of a JSON text; the spec of 10,000 services has 140,000. In Python, each takes many times its bytes
DEPTH = 100  # of lists and mappings in each other; a spec has a dozen
# Of all files that a command reads together. 10,000 services are 230,000 values in 1.6 MB; each takes half a kilobyte.
FILE_BYTES = 64 << 20
FILE_VALUES = 2_000_000
FILE_DOCUMENTS = 100_000
KEPT = 12 << 20  # bytes of stored objects that a command keeps at a time: a dozen that fill their ConfigMaps
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # of glibc's malloc.h
LARGE_BLOCK = 128 << 10  # bytes; glibc begins with this threshold, and raises it with each large block that is freed
GZIP = 31  # zlib's `wbits` for one gzip member with its header and checksum

_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^][{}"]+', re.DOTALL)

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


T = TypeVar("T")


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


def pack(data: bytes) -> bytes:
    """Packs bytes as a gzip member. The same bytes always give the same member."""
    return gzip.compress(data, mtime=0)


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
        ValueError: it is no JSON by RFC 8259, has half of a surrogate pair, or is too deep or too large.
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
    found = json.loads(data.decode(), parse_constant=_refuse)
    if _SURROGATE.search(data):
        json.dumps(found, ensure_ascii=False).encode()  # half of a pair is no character: UnicodeEncodeError
    return found


class Highest(Generic[T]):
    """Of any number of items, those of the highest ranks, as many as fit into a number of bytes; at least one.

    Parameters:
        most: bytes.
    """

    def __init__(self, most: int = KEPT) -> None:
        self._most, self._size = most, 0
        self._number = count()
        self._heap: list[tuple[Any, int, int, T]] = []
        self.omitted = 0  # items that did not fit
        self._next: tuple[Any, int, int, T] | None = None

    def add(self, rank: Any, size: int, item: T) -> None:
        """
        Parameters:
            rank: can be compared with that of the others.
        """
        heappush(self._heap, (rank, next(self._number), size, item))
        self._size += size
        while self._size > self._most and len(self._heap) > 1:
            one = heappop(self._heap)
            self._size -= one[2]
            self.omitted += 1
            if self._next is None or one[:2] > self._next[:2]:
                self._next = one

    @property
    def next(self) -> T | None:
        """Of the items that did not fit, the one of the highest rank."""
        return self._next[3] if self._next else None

    @property
    def items(self) -> list[T]:
        """By their ranks; of the same rank, in the order in which they came."""
        return [one[3] for one in sorted(self._heap, key=lambda one: one[:2])]


def share_one_heap() -> None:
    """Has glibc keep one heap for all threads, and give back large blocks at once. To be called before threads start.

    By default, glibc gives threads up to eight heaps per core, and what a thread has freed stays in its heap. So
    workers that read large objects one after another held many times what one of them needs. Other C libraries have no
    such heaps, and are left alone.

    Source: https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    import ctypes  # few commands need it

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS and Windows
        return
    mallopt(M_ARENA_MAX, 1)
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


class InTurn:
    """A lock for what needs much memory for a moment: it is needed once then, and not for each thread.

    Of the threads that wait, those of the key that had it the longest ago come first; of one key, in the order in which
    they came. So a group with a long history does not hold up the others, however many threads work on it. A thread
    that has the lock may take it again.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[object, str, bool]] = []
        self._served: dict[str, int] = {}  # by key, of those that wait; the higher, the later
        self._number = count(1)
        self._owner = 0

    @contextmanager
    def of(self, key: str = "", *, first: bool = False) -> Iterator[None]:
        """Waits for the lock, and holds it.

        Parameters:
            first: before all others that wait.
        """
        me = threading.get_ident()
        if self._owner == me:
            yield
            return
        self._enter(me, key, first)
        try:
            yield
        finally:
            with self._changed:
                self._owner = 0
                self._changed.notify_all()

    def _enter(self, me: int, key: str, first: bool) -> None:
        ticket = (object(), key, first)
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: not self._owner and self._turn() is ticket)
                self._owner = me
                self._served[key] = next(self._number)
            finally:  # also after Ctrl-C
                self._waiting.remove(ticket)
                there = {one[1] for one in self._waiting} | {key}
                self._served = {one: number for one, number in self._served.items() if one in there}
                self._changed.notify_all()

    def _turn(self) -> tuple[object, str, bool]:
        return min(self._waiting, key=lambda one: (not one[2], self._served.get(one[1], 0)))


@dataclass(slots=True)
class Room:
    """What is left of the bounds while a command reads its files."""

    bytes: int = FILE_BYTES
    values: int = FILE_VALUES
    documents: int = FILE_DOCUMENTS


class TooMuchError(ValueError):
    """Input is beyond a bound. `line` counts from 1; 0 where no line is known."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def read_all(stream: IO[bytes], room: Room) -> bytes:
    """Reads a file to its end, and no more of it than there is room for.

    Raises:
        TooMuchError: it has more bytes; the line is the one that they end in.
        OSError: as `stream.read`.
    """
    data = stream.read(room.bytes + 1)
    if len(data) > room.bytes:
        whole = "" if room.bytes == FILE_BYTES else ", together with the files before it"
        message = f"has more than {FILE_BYTES >> 20} MiB{whole}: read it in parts"
        raise TooMuchError(message, data.count(b"\n", 0, room.bytes) + 1)
    room.bytes -= len(data)
    return data


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number in JSON")
