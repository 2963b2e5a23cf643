"""Watches files for saves. A changed time alone counts only where somebody waits for any save."""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from pathlib import Path

from watchfiles import awatch

from meshconfig.bounded import FILE_BYTES
from meshconfig.load import SUFFIXES

_SETTLE = 30  # milliseconds: events within this time belong to one save
_FRESH = 5.0  # seconds: an mtime older than this is not the time of the save


class Saves:
    """Iterates over the saves of files, from its creation on.

    Parameters:
        sources: the files and directories to watch; standard input cannot be watched.
    """

    def __init__(self, sources: Callable[[], Iterable[str]]) -> None:
        self.sources = sources
        self.content = _contents(sources())
        self.stamps = _stamps(self.content)

    async def times(self, anyway: Callable[[], bool] = lambda: False) -> AsyncIterator[float]:
        """The time (as of `time.time`) of each save with a new content.

        Parameters:
            anyway: whether a save with the old content counts too.
        """
        folders = {path if path.is_dir() else path.parent for path in map(Path, self.sources()) if str(path) != "-"}
        if not folders:
            return
        # Also look after a timeout: some file systems send no events, and a save may precede the watch.
        watch = awatch(*folders, recursive=False, debounce=_SETTLE, step=20, rust_timeout=500, yield_on_timeout=True)
        async for _ in watch:
            noticed, before, self.content = time.time(), self.content, _contents(self.sources())
            old, self.stamps = self.stamps, _stamps(self.content)
            if self.content != before:
                yield _saved([path for path in self.content if self.content[path] != before.get(path)], noticed)
            elif self.stamps != old and anyway():
                yield _saved([path for path in self.stamps if self.stamps[path] != old.get(path)], noticed)


def _contents(sources: Iterable[str]) -> dict[Path, bytes]:
    return {path: content for path in _files(sources) if (content := _read(path)) is not None}


def _stamps(content: Iterable[Path]) -> dict[Path, int]:
    found: dict[Path, int] = {}
    for path in content:
        with suppress(OSError):
            found[path] = path.stat().st_mtime_ns
    return found


def _files(sources: Iterable[str]) -> set[Path]:
    found: set[Path] = set()
    for path in map(Path, sources):
        found |= {one for one in path.iterdir() if one.suffix in SUFFIXES} if path.is_dir() else {path}
    return found


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as stream:
            return stream.read(FILE_BYTES + 1)  # what is longer is refused when it is read
    except OSError:  # an editor may move the file away before it writes the new one
        return None


def _saved(changed: Iterable[Path], noticed: float) -> float:
    """The time of the latest write. A file that was only renamed has an older mtime, so the current time is used."""
    times = [path.stat().st_mtime for path in changed if path.exists()]
    return max((one for one in times if noticed - _FRESH < one <= noticed), default=noticed)
