"""A match on `baggage` that takes one member for the whole header, or a part of a member for the member."""

import re
from collections.abc import Iterator

from meshconfig.baggage import HEADER
from meshconfig.istio import StringMatch
from meshconfig.istio.strings import is_present_match, matches, refused
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule

_BETWEEN = re.compile(r"\\[sb][*+?]?| \*")  # what may stand around a member and its parts
_MEMBER = re.compile(r"((?:[\w-]|\\[.-])+)=((?:[\w-]|\\[.-])+)")


def check(index: Index) -> Iterator[Hit]:
    for owner, path, text in index.http.header_matches(HEADER):
        if wrong := _wrong(text):
            yield Hit(owner, path, wrong)


def _wrong(text: StringMatch) -> str:
    """Tries the match on headers that hold the member it names, and on some that hold another."""
    if is_present_match(text) or refused(text):
        return ""
    literal = text.exact or text.prefix or ""
    member = _MEMBER.search(_BETWEEN.sub("", text.regex or literal.replace(".", r"\.")))
    if member is None:
        return ""
    key, value = (part.replace("\\", "") for part in member.groups())
    held = (f"{key}={value}", f"a=b,{key}={value}", f"{key}={value},a=b", f"a=b,{key}={value};ttl=1,c=d")
    other = (f"x{key}={value}", f"{key}={value}x", f"a=b,x-{key}={value}", f"{key}={value}-x,a=b")
    if missed := next((header for header in held if not matches(text, header)), None):
        return f"this misses `baggage: {missed}`"
    if taken := next((header for header in other if matches(text, header)), None):
        return f"this takes `baggage: {taken}` as well"
    return ""


RULE = Rule(
    code="GL213",
    level=Level.WARNING,
    title="A match on baggage is not anchored at its members.",
    fix=r"Match the regex (.*,)?\s*KEY\s*=\s*VALUE\s*(([;,]|%3[bB]).*)?, as `baggage: true` in a spec does.",
    why="`baggage` is a list: `.*env=gray.*` also takes `myenv=gray` and `env=grayer`, and `env=gray` alone misses "
    "the tag as soon as another team adds a member.",
    resources=check,
)
