"""Follows files until they are saved: what stands in them counts, not that somebody touched them."""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from watchfiles import awatch

from meshconfig.load import SUFFIXES

_SETTLE = 30  # ms in which the parts of one save are taken together
_FRESH = 5.0  # seconds: an older time of a file is not that of the save


class Saves:
    """The saves of files from now on.

    Parameters:
        sources: the files and directories to follow, as they are now; standard input cannot be followed.
    """

    def __init__(self, sources: Callable[[], Iterable[str]]) -> None:
        self.sources = sources
        self.content = _contents(sources())

    async def times(self) -> AsyncIterator[float]:
        """When (as `time.time` gives it) files were saved with another content."""
        folders = {path if path.is_dir() else path.parent for path in map(Path, self.sources()) if str(path) != "-"}
        if not folders:
            return
        # On a timeout too: some file systems tell nobody, and a save may have come before the watch began.
        watch = awatch(*folders, recursive=False, debounce=_SETTLE, step=20, rust_timeout=500, yield_on_timeout=True)
        async for _ in watch:
            noticed, before, self.content = time.time(), self.content, _contents(self.sources())
            if self.content != before:
                yield _saved([path for path in self.content if self.content[path] != before.get(path)], noticed)


def _contents(sources: Iterable[str]) -> dict[Path, bytes]:
    return {path: content for path in _files(sources) if (content := _read(path)) is not None}


def _files(sources: Iterable[str]) -> set[Path]:
    found: set[Path] = set()
    for path in map(Path, sources):
        found |= {one for one in path.iterdir() if one.suffix in SUFFIXES} if path.is_dir() else {path}
    return found


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:  # an editor may move it away before it writes it anew
        return None


def _saved(changed: Iterable[Path], noticed: float) -> float:
    """When the last of them was written; a file that was only moved here carries an older time."""
    times = [path.stat().st_mtime for path in changed if path.exists()]
    return max((one for one in times if noticed - _FRESH < one <= noticed), default=noticed)
