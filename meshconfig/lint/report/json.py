"""Findings as one JSON object, `{"findings": […]}`."""

from collections.abc import Sequence

from meshconfig.lint.finding import Finding
from meshconfig.lint.registry import rule
from meshconfig.printable import json_text


def report(findings: Sequence[Finding]) -> str:
    return json_text({"findings": [_one(finding) for finding in findings]}, ascii_only=False) + "\n"


def _one(finding: Finding) -> dict[str, object]:
    known = rule(finding.code)
    return {
        "code": finding.code,
        "level": finding.level,
        "file": finding.location.file,
        "line": finding.location.line,
        "path": finding.path,
        "resource": finding.resource,
        "message": finding.message,
        "fix": known.fix,
        "istio": known.istio,
        "kiali": known.kiali,
    }
