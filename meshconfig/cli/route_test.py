"""`graylane test`: checks routing expectations against specs, manifests, a cluster, or a real gateway."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshconfig import groups
from meshconfig.cli import completion, explain_text
from meshconfig.cli.batch import batch
from meshconfig.cli.common import (
    BackendOption,
    Line,
    answering_by_exit_status,
    backend_name,
    needs,
    print_lines,
    readable,
    stderr,
)
from meshconfig.cli.explain import AllNamespaces, Context, Files, Namespace
from meshconfig.cli.explain_input import read_cluster
from meshconfig.cli.sources import default_source
from meshconfig.errors import InputError, nearest
from meshconfig.explain import NOTHING, Names, given_by
from meshconfig.load import Document, load
from meshconfig.printable import put, say, say_json
from meshconfig.route_tests import KIND, Checked, Result, WrittenCase, cases, check, junit, resolve
from meshconfig.route_tests.result import summary
from meshconfig.simulate import conditions, near_misses

if TYPE_CHECKING:
    from meshconfig.route_tests.send import Sender

FAILED = 1
DEFAULT = completion.TESTS
_MOST = 10_000  # requests for the shares of one case


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"


@answering_by_exit_status()
def command(
    file: Files = None,
    tests: Annotated[
        list[str] | None,
        typer.Option(
            "-t",
            "--tests",
            metavar="TESTS",
            help="File or directory with documents of kind RouteTest, or - for standard input. Repeatable. "
            "Default: those in FILE, else ./tests.yaml.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--case",
            metavar="NAME",
            help="Check this case alone. Repeatable.",
            show_default=False,
            autocompletion=completion.cases,
        ),
    ] = None,
    output: Annotated[
        Format, typer.Option("--output", help="Output format: text for people, JSON for programs, JUnit XML for CI.")
    ] = Format.TEXT,
    namespace: Namespace = None,
    allow_undecided: Annotated[
        bool,
        typer.Option(
            "--allow-undecided", help="Pass a case that is as expected though something unknown may change its answer."
        ),
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Read what the cluster has now; files then take the place of what they name.")
    ] = False,
    everywhere: AllNamespaces = False,
    context: Context = None,
    backend: BackendOption = None,
    send: Annotated[
        str | None,
        typer.Option(
            "--send",
            metavar="GATEWAY",
            help="Also send the requests to this gateway, a URL or HOST:PORT, and compare the real answers.",
            show_default=False,
        ),
    ] = None,
    requests: Annotated[
        int, typer.Option("--requests", metavar="N", min=20, max=_MOST, help="Requests to send for a case with shares.")
    ] = 500,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="With --send, accept any certificate of the gateway.")
    ] = False,
) -> None:
    """Check what becomes of requests, by specs, manifests of any origin, or what a cluster has, against expectations.

    A case that fails shows what `graylane explain` says of its request. docs/test.md describes the documents of kind
    RouteTest, and how --send knows who answered.

    Exit status: 0 if every case is as expected, 1 if one is not, 2 for invalid input.

    Examples:

        graylane test -f graylane.yaml -t tests.yaml

        graylane test -f k8s/ -t tests/ --output junit > routes.xml

        graylane test --live -n demo -t tests.yaml

        graylane test -f graylane.yaml -t tests.yaml --send http://127.0.0.1:8080
    """
    if everywhere and not live:
        raise InputError.at("--all-namespaces", "is for --live")
    if not file and not live:
        file = [default_source()]
    if "-" in (file or ()) and "-" in (tests or ()):
        raise InputError.at("--tests", "standard input can be read once: FILE is - too")
    cluster = read_cluster(context, None if everywhere else namespace or "default") if live else NOTHING
    with batch():
        documents = readable(load(file), file) if file else []
        written = _chosen(cases(_tests(documents, tests)), only)
        given = given_by(documents, file or (), namespace or "default", cluster, backend_name(backend))
        names = Names(given)
        found = resolve(names, written, namespace)
        checked = [check(names, one, allow_undecided=allow_undecided) for one in found]
    for note in names.given.notes:
        say(note, error=True)
    results = _sent(names, checked, send, requests, insecure) if send else [_result(names, one) for one in checked]
    _print(results, output)
    if not all(one.passed for one in results):
        raise typer.Exit(FAILED)


def _tests(documents: Sequence[Document], tests: Sequence[str] | None) -> list[Document]:
    """The documents with tests: of TESTS, else among those of FILE, else of the file `tests.yaml`."""
    here = [one for one in documents if one.own and one.kind == KIND]
    if tests is None and here:
        return here
    if tests is None and not Path(DEFAULT).is_file():
        raise InputError.at("--tests", f"is missing: no {KIND} among the files, and no {DEFAULT} in the current folder")
    sources = tests or [DEFAULT]
    read = load(sources)
    for one in read:
        if one.own:
            groups.check_kind(one)
    if found := [one for one in read if one.own and one.kind == KIND]:
        return found
    kinds = sorted({one.kind or "documents without a kind" for one in read})
    raise InputError.at(", ".join(sources), f"no document of kind {KIND} here, but {', '.join(kinds) or 'nothing'}")


def _chosen(written: list[WrittenCase], only: Sequence[str] | None) -> list[WrittenCase]:
    known = [one.case.name for one in written]
    for name in only or ():
        if name not in known:
            raise InputError.at("--case", f"there is no case {name!r}{nearest(name, known)}")
    return [one for one in written if not only or one.case.name in only]


def _result(names: Names, one: Checked, failures: Sequence[str] = (), notes: Sequence[str] = ()) -> Result:
    failed = (*one.failures, *failures)
    explanation = tuple(text for text, _ in _explained(names, one)) if failed else ()
    return Result(one.case.written, failed, (*one.notes, *notes), explanation)


def _explained(names: Names, one: Checked) -> Iterator[Line]:
    case = one.case
    misses = near_misses(names.given.index, case.request, one.decision)
    said = conditions(names.given.index, case.request)
    origin = "" if names.given.only_specs else case.origin
    yield from explain_text.lines(case.request, origin, one.decision, misses, said, case.notes, names)
    yield from explain_text.chain_lines(one.steps, names, case.hops)


def _sent(names: Names, checked: Sequence[Checked], gateway: str, requests: int, insecure: bool) -> list[Result]:
    with needs("mesh"):
        from meshconfig.route_tests.send import Sender, Target, why_not_sent
    target = Target.parse(gateway)
    console = stderr()
    results = []
    with Sender(target, insecure, requests) as sender:
        for one in checked:
            if why := why_not_sent(one.case, target):
                results.append(_result(names, one, notes=[f"not sent: {why}"]))
                continue
            if console.is_terminal:
                with console.status(f"sending: {one.case.written.case.name}"):
                    results.append(_compared(names, one, sender))
            else:
                results.append(_compared(names, one, sender))
    return results


def _compared(names: Names, one: Checked, sender: "Sender") -> Result:
    from meshconfig.route_tests.sent import compare

    answers = sender.answers(one.case)
    if isinstance(answers, str):
        return _result(names, one, [f"sent: {answers}"])
    found = compare(names, one.case, answers)
    return _result(names, one, found.failures, found.notes)


def _print(results: Sequence[Result], output: Format) -> None:
    if output is Format.JUNIT:
        put(junit(results))
    elif output is Format.JSON:
        counts = {"passed": sum(one.passed for one in results), "failed": sum(not one.passed for one in results)}
        say_json({**counts, "cases": [one.as_json() for one in results]})
    else:
        print_lines(_lines(results))


def _lines(results: Sequence[Result]) -> Iterator[Line]:
    several = len({one.case.suite for one in results}) > 1
    suite = ""
    for one in results:
        if several and one.case.suite != suite:
            suite = one.case.suite
            yield suite, "dim"
        if one.passed:
            yield f"✓ {one.name}", "green"
        else:
            yield f"✗ {one.name}   ({one.case.location})", "bold red"
        yield from ((f"    {text}", "red") for text in one.failures)
        yield from ((f"    note: {text}", "yellow") for text in one.notes)
        yield from ((f"      {text}" if text else "", "dim") for text in one.explanation)
    yield summary(list(results)), "bold"
