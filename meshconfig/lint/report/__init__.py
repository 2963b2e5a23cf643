"""Formats findings as text, JSON, SARIF 2.1.0 or GitHub annotations."""

from collections.abc import Callable, Sequence
from enum import StrEnum

from meshconfig.lint.finding import Finding
from meshconfig.lint.report import github, json, sarif, text

__all__ = ["Format", "report"]


class Format(StrEnum):
    """The output format of findings."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


_REPORTS: dict[Format, Callable[[Sequence[Finding]], str]] = {
    Format.TEXT: text.report,
    Format.JSON: json.report,
    Format.SARIF: sarif.report,
    Format.GITHUB: github.report,
}


def report(findings: Sequence[Finding], form: Format) -> str:
    """All findings as one text. It ends with a line break, unless it is empty."""
    return _REPORTS[form](findings)
