"""Results as JUnit XML, which CI systems show.

What XML cannot have, as most control characters, is escaped with all else that is not shown as itself.
Source: the elements and attributes that Jenkins' junit-10.xsd, GitLab's unit test reports and pytest have in common.
"""

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from meshconfig.printable import escape_line
from meshconfig.route_tests.result import Result


def junit(results: Sequence[Result]) -> str:
    """The text of a JUnit XML file: a `testsuite` for the tests of each file and name, in order."""
    root = ET.Element("testsuites", {"name": "graylane test", **_counts(results)})
    suites: dict[tuple[str, str], list[Result]] = {}
    for one in results:
        suites.setdefault((one.case.document.file, one.case.suite), []).append(one)
    for (file, name), found in suites.items():
        suite = ET.SubElement(
            root, "testsuite", {"name": escape_line(name), "file": escape_line(file), **_counts(found)}
        )
        for one in found:
            _case(suite, one)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _counts(results: Sequence[Result]) -> dict[str, str]:
    failed = sum(1 for one in results if not one.passed)
    return {"tests": str(len(results)), "failures": str(failed), "errors": "0", "skipped": "0"}


def _case(suite: ET.Element, one: Result) -> None:
    place = one.case.location
    names = {"name": one.name, "classname": one.case.suite, "file": place.file, "line": str(place.line)}
    element = ET.SubElement(suite, "testcase", {key: escape_line(value) for key, value in names.items()})
    if not one.passed:
        failure = ET.SubElement(element, "failure", {"message": escape_line(one.failures[0]), "type": "routing"})
        failure.text = _text([*one.failures, "", *one.explanation])
    if one.notes:
        ET.SubElement(element, "system-out").text = _text(one.notes)


def _text(lines: Iterable[str]) -> str:
    return "\n".join(map(escape_line, lines))
