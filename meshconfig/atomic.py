"""Files that are replaced whole: whoever reads one finds the old content or the new, never half of it.

The new content is written beside the file and takes its place by rename(2), which is atomic within one file system.
"""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path


class Replacement:
    """New content for one file, beside it until `commit`. To change several files together, make all, then commit all.

    A symbolic link stays one: the file that it leads to is replaced. An existing file's mode is kept, and its owner
    where this process may set it. A named pipe or a device without blocks, such as /dev/null or a terminal, is written
    to and not replaced.

    Parameters:
        path: the file; it need not exist, its folder has to.
        durable: whether the content is on the disk before it counts. It costs some milliseconds a file, so it is for
            what people wrote, not for what can be made again.

    Raises:
        OSError: it cannot be written; `filename` is the file itself. Nothing is left beside it.
    """

    def __init__(self, path: Path, content: bytes, *, durable: bool = False) -> None:
        self._through = content if is_stream(path) else None
        self._path = path if self._through is not None else Path(os.path.realpath(path))
        self._temporary = self._path.with_name(f".graylane-{secrets.token_hex(8)}.tmp")
        try:
            self._stage(content, durable)
        except BaseException as error:
            self.discard()
            if isinstance(error, OSError):
                raise _named(error, self._path) from None
            raise

    def _stage(self, content: bytes, durable: bool) -> None:
        before = self._path.stat() if self._path.exists() else None
        # A rename asks for the right to write to the folder alone; somebody made this file read-only for a reason.
        if before and not os.access(self._path, os.W_OK):
            raise PermissionError(13, "Permission denied")
        if self._through is not None:
            return
        with self._temporary.open("xb") as out:
            out.write(content)
            if durable:
                out.flush()
                os.fsync(out.fileno())
        if before:
            with suppress(PermissionError):
                os.chown(self._temporary, before.st_uid, before.st_gid)
            self._temporary.chmod(stat.S_IMODE(before.st_mode))

    def commit(self) -> None:
        """The file has the new content.

        Raises:
            OSError: it could not be replaced, and is as it was. What has gone into a pipe has gone.
        """
        try:
            if self._through is not None:
                self._path.write_bytes(self._through)
            else:
                self._temporary.replace(self._path)
        except OSError as error:
            raise _named(error, self._path) from None

    def discard(self) -> None:
        """Nothing is left beside the file; after `commit` there is nothing to do."""
        with suppress(OSError):
            self._temporary.unlink()


def is_stream(path: Path) -> bool:
    """Whether it is there and keeps nothing that is written to it: a named pipe, a terminal, /dev/null."""
    return path.is_fifo() or path.is_char_device()


def replace_file(path: Path, content: bytes, *, durable: bool = False) -> None:
    """One file at once; parameters and errors are those of Replacement."""
    new = Replacement(path, content, durable=durable)
    try:
        new.commit()
    finally:
        new.discard()


def _named(error: OSError, path: Path) -> OSError:
    """The same error of the file that was meant, not of the temporary one."""
    return OSError(error.errno, error.strerror or str(error), str(path))
