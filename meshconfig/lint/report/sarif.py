"""Findings as SARIF 2.1.0, for code scanning and editors.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from meshconfig.lint.finding import Finding, Level
from meshconfig.lint.registry import rules
from meshconfig.lint.rule import Rule
from meshconfig.printable import escape_line, json_text
from meshconfig.version import version

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "note"}


def report(findings: Sequence[Finding]) -> str:
    places = {rule.code: number for number, rule in enumerate(rules())}
    run = {
        "tool": {"driver": _driver()},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, places[finding.code]) for finding in findings],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json_text(log, ascii_only=False) + "\n"


def _driver() -> dict[str, Any]:
    return {"name": "graylane", "version": version(), "rules": [_rule(rule) for rule in rules()]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.fix},
        "defaultConfiguration": {"level": _LEVELS[rule.level]},
        "properties": {"tags": [*rule.istio, *rule.kiali]},
    }


def _result(finding: Finding, place: int) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.location.file)}}
    if finding.location.line:
        physical["region"] = {"startLine": finding.location.line}
    path = escape_line(finding.path)
    logical = {"name": path, "fullyQualifiedName": escape_line(f"{finding.resource}: {path}"), "kind": "member"}
    return {
        "ruleId": finding.code,
        "ruleIndex": place,
        "level": _LEVELS[finding.level],
        "message": {"text": _message(finding.message)},
        "locations": [{"physicalLocation": physical, "logicalLocations": [logical]}],
    }


def _message(text: str) -> str:
    """A message as SARIF's plain text, in which `[text](target)` is a link (3.11.6), even in a regex: `[a-z](x)`."""
    text = escape_line(text)
    return re.sub(r"[\\\[\]]", r"\\\g<0>", text) if "](" in text else text


def _uri(file: str) -> str:
    """A path as a URI reference: relative to where the command ran, as scanners of a checkout expect it."""
    return Path(file).as_uri() if Path(file).is_absolute() else quote(Path(file).as_posix())
