"""Reads routing tests from documents. Every case knows its place in its file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from meshconfig.errors import InputError, Location, Problem
from meshconfig.load import Document
from meshconfig.spec.base import validate
from meshconfig.spec.route_test import Case, RouteTest

KIND = "RouteTest"


@dataclass(frozen=True, slots=True)
class WrittenCase:
    """A case as it is written.

    Parameters:
        suite: the name of the tests that it belongs to: `metadata.name`, or else the name of the file.
        namespace: that of short names; None where the tests name none.
        index: its place among the cases of its document.
    """

    case: Case
    suite: str
    namespace: str | None
    index: int
    document: Document = field(repr=False)

    @property
    def location(self) -> Location:
        return self.document.locate(("spec", "cases", self.index))

    def problem(self, path: Sequence[str | int], message: str) -> Problem:
        """A problem with a field below the case."""
        return self.document.problem(("spec", "cases", self.index, *path), message)


def cases(documents: Iterable[Document]) -> list[WrittenCase]:
    """The cases of all documents of kind RouteTest, in order.

    Raises:
        InputError: lists every problem with file and line; also two cases of one name in the same tests.
    """
    found: list[WrittenCase] = []
    problems: list[Problem] = []
    for document in documents:
        try:
            found += _cases(document)
        except InputError as error:
            problems += error.problems
    problems += _repeated(found)
    if problems:
        raise InputError(sorted(problems))
    return found


def _cases(document: Document) -> Iterable[WrittenCase]:
    test = validate(RouteTest, document.value, document.locate)
    name = test.metadata.name or document.file
    for index, case in enumerate(test.spec.cases):
        yield WrittenCase(case, name, test.metadata.namespace, index, document)


def _repeated(found: Iterable[WrittenCase]) -> Iterable[Problem]:
    """Reports tell cases apart by the names of file, tests and case."""
    first: dict[tuple[str, str, str], WrittenCase] = {}
    for one in found:
        before = first.setdefault((one.document.file, one.suite, one.case.name), one)
        if before is not one:
            yield one.problem(("name",), f"a case in line {before.location.line} has the name {one.case.name!r} too")
