"""Findings as text: a line with place, rule, field and mistake, and a line with the fix."""

from collections.abc import Sequence

from meshconfig.lint.finding import Finding
from meshconfig.lint.registry import rule


def report(findings: Sequence[Finding]) -> str:
    return "".join(f"{finding}\n    fix: {rule(finding.code).fix}\n" for finding in findings)


def summary(findings: Sequence[Finding]) -> str:
    """`2 errors, 1 warning`."""
    counts: dict[str, int] = {}
    for finding in sorted(findings, key=lambda one: one.level.rank):
        counts[finding.level] = counts.get(finding.level, 0) + 1
    return ", ".join(f"{count} {level}{'s' * (count > 1)}" for level, count in counts.items()) or "nothing found"
