"""`graylane init`: a first spec and a local mesh from Services and Deployments."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from meshconfig.cli import completion
from meshconfig.cli.batch import batch
from meshconfig.cli.common import GivenFiles
from meshconfig.cli.explain_input import read
from meshconfig.cli.new_spec import Force, GroupName, check_free, group_name, write
from meshconfig.cli.sources import DEFAULT
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.importing.first_spec import FirstSpec, first_spec
from meshconfig.importing.text import text
from meshconfig.load import parse
from meshconfig.printable import say

LOCAL = "local.yaml"


def command(
    file: GivenFiles,
    namespace: Annotated[
        str | None,
        typer.Option(
            "-n",
            "--namespace",
            help="Namespace of the group, and of manifests that name none. Default: that of most Services.",
            show_default=False,
            autocompletion=completion.namespaces,
        ),
    ] = None,
    group: GroupName = None,
    directory: Annotated[
        Path, typer.Option("-o", "--output-dir", metavar="DIR", help="Directory for the two files.")
    ] = Path(),
    force: Force = False,
) -> None:
    """Make a first spec and a local mesh from Services and Deployments: graylane.yaml and local.yaml.

    Versions are found by labels, calls by addresses in environment variables, entries by Ingresses. In local.yaml, a
    stand-in answers for each version, so that `graylane local up` runs at once. For a mesh that has VirtualServices
    already: `graylane import`.

    Examples:

        graylane init -f k8s/

        graylane init -f k8s/ -n shop --group shop -o mesh/
    """
    with batch():
        given = read(file, namespace or "default")
        where = namespace or _namespace([one.namespace for one in given.resources.services], given.files)
        found = first_spec(given.resources, group_name(group or where), where)
        files = directory / DEFAULT, directory / LOCAL
        check_free(*files, force=force)
        spec, mesh = texts(found, given.files)
        groups(parse(spec, str(files[0])))
    for path, content in zip(files, (spec, mesh), strict=True):
        write(content, str(path), force=force)
    for note in found.notes:
        say(f"note: {note}", error=True)
    say(f"next: graylane local up -f {files[0]}", error=True)


def _namespace(found: list[str], files: str) -> str:
    if not found:
        raise InputError.at(files, "has no Service; give Services and the Deployments behind them")
    return Counter(sorted(found)).most_common(1)[0][0]


def texts(found: FirstSpec, source: str) -> tuple[str, str]:
    """The texts of graylane.yaml and local.yaml.

    Parameters:
        source: the manifests that they come from, for the headings.
    """
    spec = text(
        found.group,
        [f"A first spec, made by `graylane init` from {source}.", "docs/spec.md describes each field."],
        {
            ("spec", "lanes"): ["A request with the header env: LANE gets each service's version of that name."],
            ("spec", "services"): ["`calls` was read from addresses in environment variables and arguments."],
        },
    )
    mesh = text(
        found.local,
        [
            "The same services as processes on this machine, for `graylane local up`: a stand-in for each version.",
            "Put your own commands in their places: docs/local.md.",
        ],
        {},
    )
    return spec, mesh
