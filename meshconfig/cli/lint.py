"""`graylane lint`: finds mistakes in specs and in Istio resources of any origin."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from meshconfig.cli import completion
from meshconfig.cli.batch import batch, keep
from meshconfig.cli.common import BackendOption, backend_name, note_header, readable, stderr
from meshconfig.cli.sources import default_source, with_sources
from meshconfig.lint import Finding, Level, index, lint, rule, rules
from meshconfig.lint.explain import explain
from meshconfig.lint.report import Format, report
from meshconfig.lint.report.text import summary
from meshconfig.load import load
from meshconfig.printable import put

Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "-f",
        "--file",
        metavar="FILE",
        help="Spec, manifests, a directory of either, or - for standard input. Repeatable. Default: ./graylane.yaml.",
        show_default=False,
    ),
]


class FailOn(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@with_sources
def command(
    file: Inputs = None,
    output: Annotated[
        Format,
        typer.Option(
            "--output", help="Output format: text for people, JSON for programs, SARIF or GitHub annotations for CI."
        ),
    ] = Format.TEXT,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="Lowest level of a finding that makes the command exit with 1.")
    ] = FailOn.WARNING,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="CODE",
            help="Rule to skip, such as GL203. Repeatable.",
            show_default=False,
            autocompletion=completion.codes,
        ),
    ] = None,
    namespace: Annotated[
        str, typer.Option("-n", "--namespace", help="Namespace of manifests that name none.")
    ] = "default",
    backend: BackendOption = None,
    explain_code: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="CODE",
            help="Explain one rule, or list all rules with `all`.",
            show_default=False,
            autocompletion=completion.codes,
        ),
    ] = None,
) -> None:
    """Find mistakes in specs and in VirtualServices, DestinationRules, Gateways, Services, Deployments of any origin.

    A spec is also compiled, and the rendered resources are checked; such findings name the field of the spec. A Rollout
    or a Lane is checked against its LaneGroup if the files contain both.

    Exit status: 0 without a finding of the level of --fail-on or worse, 1 with one, 2 for invalid input.

    Examples:

        graylane lint -f graylane.yaml

        kubectl get virtualservices,dr,gateways.networking.istio.io,svc,deploy,ns -A -o yaml | graylane lint -f -

        graylane lint -f k8s/ --output github --fail-on error

        graylane lint --explain GL203
    """
    if explain_code is not None:
        put(_explained(explain_code))
        return
    sources = file or [default_source()]
    ignored = [rule(code).code for code in ignore or ()]
    with batch():
        documents = readable(load(sources), sources)
        subject = index(documents, default_namespace=namespace, backend=backend_name(backend))
        if subject.rollouts:
            from meshconfig.cli.rollout_files import rollouts  # few inputs have one, and the command starts without it

            rollouts(documents, subject.groups)
        if subject.lanes:
            from meshconfig.cli.lane_files import lanes

            lanes(subject.lanes, subject.groups)
        findings = lint(subject, ignored=ignored)
        keep(documents, subject)
    put(report(findings, output))
    if output is Format.TEXT:
        note_header(group.model for group in subject.groups)
        stderr().print(summary(findings))
    sys.exit(_status(findings, Level(fail_on.value)))


def _status(findings: list[Finding], threshold: Level) -> int:
    return 1 if any(finding.level.reaches(threshold) for finding in findings) else 0


def _explained(code: str) -> str:
    if code == "all":
        return "".join(f"{one.code}  {one.level:<8} {one.title}\n" for one in rules())
    return explain(rule(code))
