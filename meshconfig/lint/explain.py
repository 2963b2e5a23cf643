"""Explains lint rules: one rule for a terminal, or all rules as a Markdown table."""

from meshconfig.lint.registry import rules
from meshconfig.lint.rule import Rule


def explain(rule: Rule) -> str:
    """A rule as text, with its example."""
    codes = ", ".join((*rule.istio, *rule.kiali))
    parts = [
        f"{rule.code} ({rule.level}): {rule.title}",
        rule.why,
        f"Fix: {rule.fix}",
        f"The same in Istio and Kiali: {codes}" if codes else "Neither Istio nor Kiali looks for it.",
    ]
    if rule.needs:
        parts.append(f"Says nothing unless this was given: {', '.join(rule.needs)}.")
    parts += [f"With the mistake:\n\n{_indented(rule.bad)}", f"Without:\n\n{_indented(rule.good)}"]
    return "\n\n".join(parts) + "\n"


def table() -> str:
    """All rules as a Markdown table."""
    lines = ["| code | level | what is wrong | what to do | Istio, Kiali |", "|---|---|---|---|---|"]
    for rule in rules():
        codes = ", ".join((*rule.istio, *rule.kiali))
        lines.append(f"| {rule.code} | {rule.level} | {_cell(rule.title)} | {_cell(rule.fix)} | {codes} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.rstrip("\n").splitlines())
