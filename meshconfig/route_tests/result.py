"""The result of one case, as every report shows it."""

from dataclasses import dataclass
from typing import Any

from meshconfig.route_tests.read import WrittenCase


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one case.

    Parameters:
        failures: what is not as expected, one sentence each; none for a case that passed.
        notes: what was not compared, and what real answers were, one sentence each.
        explanation: for a case that failed, the lines of `graylane explain` about its request.
    """

    case: WrittenCase
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    explanation: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.failures

    @property
    def name(self) -> str:
        return self.case.case.name

    def as_json(self) -> dict[str, Any]:
        """{"name", "suite", "file", "line", "result", "failures", "notes", "explanation"}"""
        return {
            "name": self.name,
            "suite": self.case.suite,
            "file": self.case.location.file,
            "line": self.case.location.line,
            "result": "passed" if self.passed else "failed",
            "failures": list(self.failures),
            "notes": list(self.notes),
            "explanation": list(self.explanation),
        }


def summary(results: list[Result]) -> str:
    """`3 passed, 1 failed`."""
    failed = sum(1 for one in results if not one.passed)
    passed = len(results) - failed
    return ", ".join([f"{passed} passed"] * bool(passed) + [f"{failed} failed"] * bool(failed))
