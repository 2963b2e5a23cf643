"""What lint says of samples that others have published: nothing, or what docs/lint.md argues.

The samples are in no commit. GRAYLANE_SAMPLES names a folder with checkouts of them, of which docs/lint.md has a list.
Manifests in a shell script or a page (`<<EOF`, a YAML block) count as files; each directory is checked as a whole, too.
"""

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from meshconfig.errors import InputError
from meshconfig.lint import Finding, Level, index, lint
from meshconfig.load import Document, parse

FOLDER = os.environ.get("GRAYLANE_SAMPLES", "")
PAGE = Path(__file__).parents[3] / "docs" / "lint.md"
ROW = re.compile(r"^\| `([^`]+)` \| ((?:GL\d{3}(?:, )?)+) \|", re.MULTILINE)
HERE = re.compile(r"<<-?\s*[\"']?(?P<end>\w+)[\"']?[^\n]*\n(?P<text>.*?)\n\s*(?P=end)\b", re.DOTALL)
BLOCK = re.compile(r"(?:```yaml|\{\{< text yaml[^>]*>\}\})\n(?P<text>.*?)\n(?:```|\{\{< /text >\}\})", re.DOTALL)


def argued() -> list[tuple[str, str]]:
    """The pairs of a file's pattern and a code in the table of docs/lint.md."""
    section = PAGE.read_text().partition("## What lint says of public samples")[2].partition("\n## ")[0]
    return [(pattern, code) for pattern, codes in ROW.findall(section) for code in codes.split(", ")]


def manifests(file: Path) -> Iterator[list[Document]]:
    """The manifests of a file; those of a page or a script one by one. What is no manifest is left out."""
    text = file.read_text(errors="replace")
    inline = (one["text"] for pattern in (HERE, BLOCK) for one in pattern.finditer(text))
    for each in [text] if file.suffix in (".yaml", ".yml") else inline:
        try:
            found = [
                one for one in parse(each, str(file)) if isinstance(one.value, dict) and one.value.get("apiVersion")
            ]
            index(found)
        except InputError:
            continue
        yield found


def findings(folder: Path) -> Iterator[Finding]:
    files = [Path(where) / name for where, _, names in os.walk(folder) for name in sorted(names)]
    together: dict[Path, list[Document]] = {}
    for file in files:
        for one in manifests(file) if file.suffix in (".yaml", ".yml", ".sh", ".md") else ():
            yield from lint(index(one))
            if file.suffix in (".yaml", ".yml"):
                together.setdefault(file.parent, []).extend(one)
    for documents in together.values():
        yield from lint(index(documents))


@pytest.mark.skipif(not FOLDER, reason="GRAYLANE_SAMPLES names no folder")
def test_public_samples_are_clean_or_each_finding_is_argued():
    known = argued()
    found = {one for one in findings(Path(FOLDER)) if one.level != Level.INFO}
    unargued = [
        str(one)
        for one in sorted(found)
        if not any(code == one.code and fnmatch(one.location.file, f"*/{pattern}") for pattern, code in known)
    ]
    assert unargued == []


def test_the_table_of_public_samples_can_be_read():
    assert len(argued()) >= 8
