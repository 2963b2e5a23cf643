"""Findings of YAML that stands in a test."""

from collections.abc import Callable

import pytest

from meshconfig.lint import Finding, index, lint
from meshconfig.load import parse

Lint = Callable[[str], list[Finding]]


@pytest.fixture(scope="session")
def findings() -> Lint:
    """All findings of a YAML text."""
    return lambda text: lint(index(parse(text, "in.yaml")))


@pytest.fixture(scope="session")
def codes(findings: Lint) -> Callable[[str], list[str]]:
    """The codes of a YAML text's findings, each once."""
    return lambda text: sorted({one.code for one in findings(text)})


ROUTE = "route: [{destination: {host: cat.demo.svc.cluster.local, subset: %s}}]"


@pytest.fixture(scope="session")
def routed() -> Callable[..., str]:
    """A VirtualService of the mesh with these routes: each the inside of a `match`, or None for one without."""

    def text(*matches: str | None, hosts: str = "cat.demo.svc.cluster.local", extra: str = "") -> str:
        lines = []
        for number, match in enumerate(matches):
            route = ROUTE % f"s{number}"
            lines.append(f"    - {{{route}}}" if match is None else f"    - {{match: [{match}], {route}}}")
        return (
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: cat, namespace: demo}\n"
            f"spec:\n  hosts: [{hosts}]\n{extra}  http:\n" + "\n".join(lines) + "\n"
        )

    return text


@pytest.fixture
def of(findings):
    """The paths and levels of one rule's findings."""
    return lambda code, text: [(one.path, str(one.level)) for one in findings(text) if one.code == code]
