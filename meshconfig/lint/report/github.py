"""Findings as workflow commands, which GitHub shows as annotations in a pull request.

Source: GitHub, "Workflow commands for GitHub Actions"; the escapes are those of its toolkit (core/command.ts).
"""

from collections.abc import Sequence

from meshconfig.lint.finding import Finding, Level
from meshconfig.lint.registry import rule
from meshconfig.printable import escape

_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "notice"}


def report(findings: Sequence[Finding]) -> str:
    return "".join(_one(finding) for finding in findings)


def _one(finding: Finding) -> str:
    place = f"file={_property(finding.location.file)}"
    if finding.location.line:
        place += f",line={finding.location.line}"
    title = _property(f"{finding.code} {rule(finding.code).title}")
    message = _data(f"{finding.path}: {finding.message}\nfix: {rule(finding.code).fix}")
    return f"::{_COMMANDS[finding.level]} {place},title={title}::{message}\n"


def _data(text: str) -> str:
    return escape(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
