"""The words of pages, by language: one catalogue file a language, `SECTION.NAME` → text with `{fields}`."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from meshconfig.printable import escape_line

DEFAULT = "en"
NAMES = {"en": "English", "zh": "中文"}


class Words:
    """A language: `words("lanes.title")`, with values for the fields of the text."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = catalogue(language)

    def __call__(self, key: str, **values: Any) -> str:
        """The text. Values are one line each, whoever wrote them.

        Raises:
            KeyError: the catalogue lacks the text, which a test finds.
        """
        text = self._texts[key]
        return text.format(**{name: escape_line(str(one)) for name, one in values.items()}) if values else text


@cache
def words(language: str) -> Words:
    return Words(language)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """The texts of a language."""
    text = files("meshconfig.console").joinpath("catalogues", f"{language}.json").read_text("utf-8")
    return {f"{section}.{name}": one for section, texts in json.loads(text).items() for name, one in texts.items()}


def chosen(cookie: str, accepted: str) -> str:
    """A language that there is.

    Parameters:
        cookie: what the person has chosen; may be anything.
        accepted: the header `Accept-Language`.
    """
    if cookie in NAMES:
        return cookie
    return next((one for one in _preferred(accepted) if one in NAMES), DEFAULT)


def _preferred(accepted: str) -> Iterable[str]:
    """Languages without their regions, by falling weight. Source: RFC 9110, 12.5.4."""
    weighed = []
    for index, part in enumerate(accepted[:1000].split(",")):
        name, _, weight = part.partition(";q=")
        try:
            value = float(weight or 1)
        except ValueError:
            continue
        if value > 0:
            weighed.append((-value, index, name.strip().lower().partition("-")[0]))
    return (name for _, _, name in sorted(weighed))
