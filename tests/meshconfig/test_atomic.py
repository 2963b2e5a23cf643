"""A file that is replaced whole, whatever happens meanwhile."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from meshconfig.atomic import Replacement, replace_file

OLD, NEW = b"a: 1\n" * 40_000, b"b: 2\n" * 50_000


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_bytes(OLD)
    return path


def alone(path):
    """Nothing else is in the folder."""
    return list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("durable", [True, False])
def test_the_new_content_takes_the_place_of_the_old_and_nothing_is_left_beside_it(file, durable):
    replace_file(file, NEW, durable=durable)
    assert file.read_bytes() == NEW
    assert alone(file)


@pytest.mark.parametrize("mode", [0o640, 0o600, 0o755, 0o664])
def test_the_mode_is_kept(file, mode):
    file.chmod(mode)
    replace_file(file, NEW)
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_new_file_has_the_mode_that_any_new_file_has(tmp_path):
    made, plain = tmp_path / "made", tmp_path / "plain"
    before = os.umask(0o027)
    try:
        replace_file(made, NEW)
        plain.write_bytes(NEW)
    finally:
        os.umask(before)
    assert made.stat().st_mode == plain.stat().st_mode


def test_a_named_pipe_is_written_to_and_stays_one(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    replace_file(pipe, NEW)
    reader.join(20)
    assert read == [NEW]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert alone(pipe)


def test_a_terminal_stays_one():
    ours, theirs = os.openpty()
    try:
        terminal = Path(os.ttyname(theirs))
        replace_file(terminal, b"a: 1")
        assert os.read(ours, 100) == b"a: 1"
        assert stat.S_ISCHR(terminal.stat().st_mode)
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_is_kept(file):
    os.chown(file, 1234, 2345)
    file.chmod(0o640)
    replace_file(file, NEW)
    assert (file.stat().st_uid, file.stat().st_gid, stat.S_IMODE(file.stat().st_mode)) == (1234, 2345, 0o640)


def test_an_owner_that_may_not_be_set_is_no_error(file, monkeypatch):
    def refuse(*given):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    replace_file(file, NEW)
    assert file.read_bytes() == NEW


@pytest.mark.parametrize("relative", [True, False])
def test_a_link_stays_a_link_and_the_file_behind_it_is_replaced(file, tmp_path, relative):
    folder = tmp_path / "links"
    folder.mkdir()
    link = folder / "link.yaml"
    link.symlink_to(Path("..", file.name) if relative else file)
    replace_file(link, NEW)
    assert link.is_symlink()
    assert file.read_bytes() == NEW
    assert list(folder.iterdir()) == [link]


def test_a_link_to_what_is_not_there_yet_makes_it(tmp_path):
    (tmp_path / "link").symlink_to("later")
    replace_file(tmp_path / "link", NEW)
    assert (tmp_path / "later").read_bytes() == NEW


@pytest.mark.parametrize("where", ["write", "fsync", "chmod", "rename"])
def test_where_it_fails_the_old_content_stays_and_the_error_names_the_file(file, monkeypatch, where):
    def full(*given, **more):
        raise OSError(errno.ENOSPC, "No space left on device", "something else")

    owner, name = {"fsync": (os, "fsync"), "chmod": (Path, "chmod"), "rename": (Path, "replace")}.get(where, (None, ""))
    if owner:
        monkeypatch.setattr(owner, name, full)
    else:  # as an error of the file system comes out of write()
        monkeypatch.setattr(Path, "open", lambda *given: open("/dev/full", "wb", buffering=0))  # noqa: PTH123, SIM115
    with pytest.raises(OSError, match="No space left on device") as failed:
        replace_file(file, NEW, durable=True)
    monkeypatch.undo()
    assert (failed.value.errno, failed.value.filename) == (errno.ENOSPC, str(file))
    assert file.read_bytes() == OLD
    assert alone(file)


def test_ctrl_c_in_the_middle_leaves_nothing(file, monkeypatch):
    def stop(number):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        replace_file(file, NEW, durable=True)
    assert file.read_bytes() == OLD
    assert alone(file)


def test_a_file_that_may_not_be_written_is_refused_though_its_folder_may(file, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: not (mode & os.W_OK and Path(path) == file))
    with pytest.raises(PermissionError) as refused:
        replace_file(file, NEW)
    assert refused.value.filename == str(file)
    assert file.read_bytes() == OLD
    assert alone(file)


@pytest.mark.parametrize("folder", ["nowhere", "spec.yaml"])
def test_a_folder_that_is_not_there_is_an_error_of_the_file(file, folder):
    path = file.parent / folder / "x.yaml"
    with pytest.raises(OSError, match=r"No such file|Not a directory") as failed:
        replace_file(path, NEW)
    assert failed.value.filename == str(path)
    assert alone(file)


def test_several_are_written_before_the_first_is_replaced_and_may_be_given_up(file):
    other = file.with_name("other.yaml")
    first, second = Replacement(file, NEW), Replacement(other, NEW)
    assert (file.read_bytes(), other.exists()) == (OLD, False)
    first.commit()
    assert (file.read_bytes(), other.exists()) == (NEW, False)
    for one in (first, second):
        one.discard()
        one.discard()
    assert (file.read_bytes(), other.exists()) == (NEW, False)
    assert alone(file)


def test_who_reads_meanwhile_sees_the_old_or_the_new(file):
    ended = threading.Event()

    def write():
        for number in range(60):
            replace_file(file, (OLD, NEW)[number % 2])
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not ended.is_set():
        seen.add(file.read_bytes())
    writer.join()
    assert seen <= {OLD, NEW}


ENDLESSLY = """
import sys
from itertools import cycle
from pathlib import Path
from meshconfig.atomic import replace_file
print("began", flush=True)
for letter in cycle("ab"):
    replace_file(Path(sys.argv[1]), letter.encode() * 500_000)
"""


def test_a_process_that_is_killed_leaves_the_old_or_the_new(file):
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", ENDLESSLY, str(file)], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            while file.read_bytes() == OLD:
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)
        assert file.read_bytes() in {letter * 500_000 for letter in (b"a", b"b")}
