"""Runs commands on what somebody has put into their input, and looks at what comes to a terminal."""

import copy
import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

import pytest
from hostile_text import harm

from meshconfig.cli import main


def run(*arguments):
    """Exit code, standard output and standard error of a command, as bytes would come to a terminal."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
    argv = patch.object(sys, "argv", ["graylane", *map(str, arguments)])
    with argv, redirect_stdout(streams[0]), redirect_stderr(streams[1]), pytest.raises(SystemExit) as stopped:
        main()
    out, err = (stream.buffer.getvalue().decode() for stream in streams)
    return stopped.value.code or 0, out, err


def harmless(*arguments):
    code, out, err = run(*arguments)
    assert not harm(out), (arguments, out[-500:])
    assert not harm(err), (arguments, err[-500:])
    assert "Traceback" not in err, err[-1500:]
    return code, out, err


def places(value, path=()):
    """The paths of all scalars and of all keys; a key's path ends with None."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key, None)
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))
    else:
        yield path


def put(value, path, text):
    """A copy in which `text` stands at a path, or in place of a key."""
    value = copy.deepcopy(value)
    at = value
    *before, last = path[:-1] if path[-1] is None else path
    for part in before:
        at = at[part]
    if path[-1] is None:
        at[text] = at.pop(last)
    else:
        at[last] = text
    return value


def has(value, path):
    """Whether another change has left the place there."""
    for part in path if path[-1] is not None else path[:-1]:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
