"""Debian's `chromium`, or the one whose path GRAYLANE_CHROMIUM gives. Without one a test is skipped, unless
GRAYLANE_BROWSER is `required`."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser while the block runs."""
    path = os.environ.get("GRAYLANE_CHROMIUM") or shutil.which("chromium")
    if path is None:
        assert os.environ.get("GRAYLANE_BROWSER") != "required", "there is no chromium"
        pytest.skip("there is no chromium: apt-get install chromium, or set GRAYLANE_CHROMIUM")
    with sync_playwright() as playwright:
        # As root, Chromium has no sandbox; the pages are the tests' own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
