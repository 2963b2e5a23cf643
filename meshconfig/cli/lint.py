"""`graylane lint`: mistakes in specs and in anybody's mesh resources."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from meshconfig.cli.common import batch, stderr
from meshconfig.cli.rollout_files import rollouts
from meshconfig.errors import InputError
from meshconfig.lint import Finding, Level, index, lint, rule, rules
from meshconfig.lint.explain import explain
from meshconfig.lint.report import Format, report
from meshconfig.lint.report.text import summary
from meshconfig.load import load

Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "-f",
        "--file",
        metavar="FILE",
        help="A spec, manifests, a directory of either, or - for standard input; may be given several times.",
        show_default=False,
    ),
]


class FailOn(StrEnum):
    ERROR = "error"
    WARNING = "warning"


def command(
    file: Inputs = None,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="More files.", show_default=False)
    ] = None,
    output: Annotated[
        Format, typer.Option("--output", help="For a reader, a program, or a code scanner.")
    ] = Format.TEXT,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="Exit with 1 when there is a finding of this level or worse.")
    ] = FailOn.WARNING,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="CODE", help="Leave this rule out.", show_default=False)
    ] = None,
    namespace: Annotated[
        str, typer.Option("-n", "--namespace", help="The namespace of manifests that name none.")
    ] = "default",
    explain_code: Annotated[
        str | None,
        typer.Option(
            "--explain", metavar="CODE", help="Tell about one rule, or of `all` the titles.", show_default=False
        ),
    ] = None,
) -> None:
    """Find mistakes in specs and in VirtualServices, DestinationRules, Gateways, Services, Deployments of any origin.

    A spec is compiled and what it renders to is looked at as well; findings name the spec's field. A Rollout has to fit
    its LaneGroup, where the files have that too.
    Exit 0 without findings of the level of --fail-on or worse, 1 with some, 2 for input that cannot be used.

    Examples:

        graylane lint -f graylane.yaml

        kubectl get virtualservices,dr,gateways.networking.istio.io,svc,deploy,ns -A -o yaml | graylane lint -f -

        graylane lint -f k8s/ --output github --fail-on error

        graylane lint --explain GL203
    """
    if explain_code is not None:
        print(_explained(explain_code), end="")
        return
    sources = [*(file or ()), *(more or ())]
    if not sources:
        raise InputError.at("graylane lint", "say what to look at with -f FILE")
    ignored = [rule(code).code for code in ignore or ()]
    with batch():
        documents = load(sources)
        subject = index(documents, default_namespace=namespace)
        rollouts(documents, subject.groups)
        findings = lint(subject, ignored=ignored)
    print(report(findings, output), end="")
    if output is Format.TEXT:
        stderr().print(summary(findings))
    sys.exit(_status(findings, Level(fail_on.value)))


def _status(findings: list[Finding], threshold: Level) -> int:
    return 1 if any(finding.level.reaches(threshold) for finding in findings) else 0


def _explained(code: str) -> str:
    if code == "all":
        return "".join(f"{one.code}  {one.level:<8} {one.title}\n" for one in rules())
    return explain(rule(code))
