"""What other people stored is read within bounds, and what is stored always fits."""

import gzip
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
from hostile import bomb
from hypothesis import example, given
from hypothesis import strategies as st

from meshconfig.bounded import DEPTH, VALUES, InTurn, clip, decode, one_line, unpack

texts = st.text(st.characters(codec=None), max_size=60)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
)


@given(texts, st.integers(3, 80))
@example("ä" * 10, 7)
@example("\udcff", 3)
@example("👩‍👩‍👧", 5)
def test_a_text_is_cut_to_bytes_and_stays_text(text, limit):
    cut = clip(text, limit)
    assert len(cut.encode()) <= limit
    whole = text.encode(errors="replace").decode()
    if len(whole.encode()) <= limit:
        assert cut == whole
    else:
        assert cut.endswith("…")
        assert whole.startswith(cut[:-1])
        assert len(cut.encode()) > limit - 4, "no more is cut than has to be"


@given(texts)
def test_one_line_is_one_line_without_controls(text):
    line = one_line(text, 50)
    assert line.isprintable()
    assert len(line.encode()) <= 50


@given(st.binary())
def test_what_is_packed_comes_back(data):
    assert unpack(gzip.compress(data)) == data


@given(st.binary(min_size=1), st.data())
def test_damaged_bytes_are_an_error_and_never_another_text(data, draw):
    packed = bytearray(gzip.compress(data, mtime=0))
    place = draw.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= draw.draw(st.integers(1, 255))
    with suppress(ValueError):
        assert unpack(bytes(packed)) == data  # the header has bytes that nobody needs, such as the time
    with pytest.raises(ValueError, match="gzip"):
        unpack(gzip.compress(data)[: draw.draw(st.integers(0, len(data)))][:-1])


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_the_error_is_one_of_values(data):
    for read in (unpack, decode):
        with suppress(ValueError):
            read(data)


def test_a_bomb_is_not_unpacked():
    with pytest.raises(ValueError, match="more than 8 MiB"):
        unpack(bomb(64))
    with pytest.raises(ValueError, match="more than 0 MiB"):
        unpack(gzip.compress(b"123456"), limit=5)
    assert unpack(gzip.compress(b"12345"), limit=5) == b"12345"
    with pytest.raises(ValueError, match="more follows"):
        unpack(gzip.compress(b"1") + gzip.compress(b"2"))


@given(values)
@example({"a": ']]]"\\"[[', "{": ["\\"]})
def test_json_is_read_as_python_reads_it(value):
    assert decode(json.dumps(value).encode()) == value
    assert decode(json.dumps(value, ensure_ascii=False, indent=1).encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[" * 100_000,
        b"[" * (DEPTH + 1) + b"]" * (DEPTH + 1),
        b'{"a":' * (DEPTH + 1) + b"1" + b"}" * (DEPTH + 1),
        b"[" + b"1," * VALUES + b"1]",
        b"[NaN]",
        b"Infinity",
        b"[1}",
        b'"\xff"',
        b'"' + b"\\" * 100_001,
        b"9" * 5000,
    ],
    ids=lambda text: text[:8].decode(errors="replace"),
)
def test_what_is_no_json_or_too_much_is_an_error(text):
    with pytest.raises(ValueError):  # noqa: PT011  each of these has words of its own
        decode(text)


def test_the_deepest_and_the_largest_are_read():
    deepest: object = 1
    for _ in range(DEPTH):
        deepest = [deepest]
    assert decode(json.dumps(deepest).encode()) == deepest
    assert len(decode(b"[" + b"1," * (VALUES - 2) + b"1]")) == VALUES - 1


class Queue:
    """Threads that wait for a lock that this one has, and the order in which they got it."""

    def __init__(self):
        self.lock, self.order, self.threads = InTurn(), [], []
        self.inside = self.most = 0

    def comes(self, name, key, **how):
        def work():
            with self.lock.of(key, **how):
                self.inside += 1
                self.most = max(self.most, self.inside)
                with self.lock.of("any"):  # a thread that has it does not wait for itself
                    time.sleep(0.001)
                self.order.append(name)
                self.inside -= 1

        before = len(self.lock._waiting)
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self.threads.append(thread)
        while len(self.lock._waiting) == before:
            time.sleep(0.001)

    def ends(self):
        for thread in self.threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self.threads)


def test_of_threads_that_take_turns_each_key_comes_soon_and_each_thread_comes():
    queue = Queue()
    with queue.lock.of("a"):
        for number in range(8):
            queue.comes(f"a{number}", "a")
        queue.comes("b0", "b")
        queue.comes("b1", "b")
        queue.comes("c0", "c")
    queue.ends()
    assert queue.most == 1
    assert queue.order[:2] == ["b0", "c0"], "they never had it"
    assert queue.order[2:5] == ["a0", "b1", "a1"], "of one key, in the order in which they came"
    assert queue.order[5:] == [f"a{number}" for number in range(2, 8)]


def test_what_is_urgent_waits_for_nobody_who_waits():
    queue = Queue()
    with queue.lock.of("a"):
        for number in range(3):
            queue.comes(f"b{number}", "b")
        queue.comes("urgent", "a", first=True)
    queue.ends()
    assert queue.order == ["urgent", "b0", "b1", "b2"]


def test_a_turn_ends_with_an_error_too():
    lock = InTurn()
    with suppress(KeyError), lock.of("a"), lock.of("b"):
        raise KeyError
    queue = Queue()
    queue.lock = lock
    queue.threads.append(threading.Thread(target=lambda: lock.of("c").__enter__(), daemon=True))
    queue.threads[0].start()
    queue.ends()


THREADS = """
import ctypes, json, sys, threading
from contextlib import suppress
from meshconfig.cli import main
sys.argv = ["graylane", "controller", "-n", "demo"]
with suppress(SystemExit):
    main()
TEXT = json.dumps([{"a": str(number)} for number in range(3000)])
both = threading.Barrier(12)
def work():
    both.wait()
    json.loads(TEXT)
    both.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
for one in threads: one.start()
for one in threads: one.join()
c = ctypes.CDLL(None)
c.fdopen.restype = ctypes.c_void_p
out = c.fdopen(1, b"w")
c.malloc_info(0, ctypes.c_void_p(out))
c.fflush(ctypes.c_void_p(out))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has heaps of threads")
def test_threads_of_a_runner_share_one_heap(tmp_path):
    """It ends before its work, as there is no cluster; what follows in the process are threads as its workers are."""
    there = {**os.environ, "KUBECONFIG": str(tmp_path / "none")}
    begin = [sys.executable, "-c", THREADS]
    ran = subprocess.run(begin, capture_output=True, text=True, check=True, timeout=60, env=there)
    assert "kubeconfig" in ran.stderr.lower()
    assert ran.stdout.count("<heap nr=") == 1
