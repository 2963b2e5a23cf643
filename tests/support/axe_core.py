"""axe-core, which finds what keeps people from using a page: from npm's registry, by npm, once for each version."""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

VERSION = "4.14.1"
# As the registry states it: `npm view axe-core@VERSION dist.integrity`.
INTEGRITY = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
CACHE = Path(__file__).parents[2] / ".cache" / f"axe-core-{VERSION}"
FILE = "axe.min.js"
RUN = "options => axe.run(document, options)"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def script() -> str:
    """axe-core's script. Skips where npm is missing, unless GRAYLANE_BROWSER is `required`."""
    if not (CACHE / FILE).is_file():
        if not shutil.which("npm"):
            assert os.environ.get("GRAYLANE_BROWSER") != "required", "there is no npm to get axe-core by"
            pytest.skip("there is no npm to get axe-core by")
        _fetch()
    return (CACHE / FILE).read_text()


def _fetch() -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    command = ["npm", "pack", "--silent", f"axe-core@{VERSION}", f"--pack-destination={CACHE}"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    packed = CACHE / f"axe-core-{VERSION}.tgz"
    found = f"sha512-{base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()}"
    assert found == INTEGRITY, f"{packed.name} is not the one that was pinned: {found}"
    with tarfile.open(packed) as archive:
        member = archive.extractfile(f"package/{FILE}")
        assert member
        (CACHE / FILE).write_bytes(member.read())


def violations(page: Page, axe: str) -> list[str]:
    """What axe finds on a page, a line each: the rule, and where."""
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate(RUN, RULES)
    return [f"{one['id']}: {one['help']}: {'; '.join(map(_place, one['nodes'][:4]))}" for one in found["violations"]]


def _place(node: dict[str, Any]) -> str:
    return f"{node['target']} {node['html'][:120]}"


if __name__ == "__main__":  # before a lab begins, whose network has no way to the registry
    if shutil.which("npm"):
        script()
