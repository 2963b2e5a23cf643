"""A person at the console, in Chromium; and how every page is looked at: both languages, light and dark, narrow and
wide, each with each other."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import axe_core
from playwright.sync_api import Browser, Page, ViewportSize

PATIENCE = 30_000  # milliseconds for anything that happens at all
NARROW: ViewportSize = {"width": 320, "height": 640}
WIDE: ViewportSize = {"width": 1280, "height": 800}
# Of any two of the three, each pair of values is there.
LOOKS: tuple[tuple[str, str, ViewportSize], ...] = (
    ("zh", "light", NARROW),
    ("zh", "dark", WIDE),
    ("en", "dark", NARROW),
    ("en", "light", WIDE),
)
PICTURES = Path(__file__).parents[2] / "docs" / "console"
TAKE = os.environ.get("GRAYLANE_SCREENSHOTS") == "1"


class Person:
    """A browser that has come in by the console's address.

    Parameters:
        address: as the console printed it, with the secret; with a token, the address of its login page.
    """

    def __init__(self, browser: Browser, address: str, axe: str) -> None:
        # Some seconds of a test's time are spent in animations otherwise.
        self.context = browser.new_context(viewport=WIDE, reduced_motion="reduce", locale="en-GB")
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.axe, self.trouble = axe, list[str]()
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("console", lambda said: self.trouble.append(said.text) if said.type == "error" else None)
        self.origin = "{0.scheme}://{0.netloc}".format(urlsplit(address))
        self.page.goto(address)

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.origin}{path}")
        return self.page

    def audit(self, path: str) -> list[str]:
        """What is wrong with a page in any of its looks. Leaves it English, light and wide."""
        found = []
        for language, theme, size in LOOKS:
            chosen = {"graylane-language": language, "graylane-theme": theme}
            self.context.add_cookies([{"name": name, "value": one, "url": self.origin} for name, one in chosen.items()])
            self.page.set_viewport_size(size)
            self.open(path)
            look = f"{path} {language} {theme} {size['width']}"
            found += [f"{look}: {one}" for one in self.violations()]
            if self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{look}: wider than the screen")
        return found

    def violations(self) -> list[str]:
        """What axe finds on the page that is open."""
        return axe_core.violations(self.page, self.axe)

    def picture(self, name: str) -> None:
        """Puts a picture of the page into the docs, where `make console-screenshots` asks for it."""
        if TAKE:
            self.page.set_viewport_size({"width": 1100, "height": 700})
            self.page.screenshot(path=str(PICTURES / f"{name}.png"))
            self.page.set_viewport_size(WIDE)

    def close(self) -> None:
        """Its pages had no fault, and nothing that the policy of the console forbids."""
        self.context.close()
        assert not self.trouble, self.trouble


def address_in(text: str) -> str:
    """The address that a console has printed."""
    found = re.search(r"console  (http://\S+)", text)
    assert found, text
    return found[1]
