"""No file of the package has what a merge has left behind: in a template or a catalogue no tool sees it."""

import re
from importlib.resources import files
from pathlib import Path

MARKER = re.compile(rb"^(<<<<<<<|>>>>>>>)", re.MULTILINE)


def test_no_file_has_merge_markers() -> None:
    found = [one for one in Path(str(files("meshconfig"))).rglob("*") if one.is_file() and one.suffix != ".pyc"]
    assert found
    assert [str(one) for one in found if MARKER.search(one.read_bytes())] == []
