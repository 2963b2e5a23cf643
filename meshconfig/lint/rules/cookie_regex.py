"""A match on `cookie` that takes one cookie for the whole header."""

import re
from collections.abc import Iterator

from meshconfig.istio import StringMatch
from meshconfig.istio.strings import is_present_match, matches, refused
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule

HEADER = "cookie"
_COOKIE = re.compile(r"((?:[\w-]|\\[.-])+)=((?:[\w-]|\\[.-])+)")


def check(index: Index) -> Iterator[Hit]:
    for owner, path, text in index.http.header_matches(HEADER):
        if missed := _missed(text):
            yield Hit(owner, path, f"this misses `cookie: {missed}`")


def _missed(text: StringMatch) -> str:
    """A header as browsers write it, with the cookie that the match names, that the match does not take."""
    if is_present_match(text) or refused(text):
        return ""
    literal = text.exact or text.prefix or ""
    pattern = text.regex or re.escape(literal)
    cookie = _COOKIE.search(pattern)
    if cookie is None or pattern.count("=") > 1:
        return ""  # it may ask for several cookies, in an order or in any
    one = "=".join(cookie.groups()).replace("\\", "")
    headers = (one, f"a=b; {one}", f"{one}; a=b", f"a=b; {one}; c=d")
    return next((header for header in headers if not matches(text, header)), "")


RULE = Rule(
    code="GL221",
    level=Level.WARNING,
    title="A match on cookie finds its cookie only where no other cookie is.",
    fix=r"Match the regex (.*;\s*)?NAME=VALUE(\s*;.*)? instead.",
    why="`cookie` has all cookies of the site, with a semicolon and a space between them. Once a second one is set, "
    "the match misses the request.",
    resources=check,
)
