"""What the shell completes besides commands and options: names in the spec or manifests at hand, and lint's codes.

They are in the files that the line names so far, or in ./graylane.yaml; preview lanes are in the cluster. A shell waits
for the answer at every Tab, so files are read as YAML alone, and not checked; whatever is wrong with them, the line is
simply not completed.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import typer

from meshconfig.errors import GraylaneError

PATIENCE = 2.0  # seconds for a cluster to answer
TESTS = "tests.yaml"  # the file with routing tests that is read where none is named


def services(context: typer.Context, incomplete: str) -> list[str]:
    """Services of the spec."""
    return _beginning(incomplete, (name for spec in _specs(context) for name in _mapping(spec, "services")))


def versions(context: typer.Context, incomplete: str) -> list[str]:
    """Versions of the service that the line names; of all services where it names none yet."""
    return _beginning(incomplete, _versions(context))


def weights(context: typer.Context, incomplete: str) -> list[str]:
    """`VERSION=`, to be followed by a number."""
    return _beginning(incomplete, (f"{name}=" for name in _versions(context)))


def service_words(context: typer.Context, incomplete: str) -> list[str]:
    """`SERVICE=`, to be followed by an image, a version or a number."""
    return _beginning(incomplete, (f"{name}=" for spec in _specs(context) for name in _mapping(spec, "services")))


def preview_lanes(context: typer.Context, incomplete: str) -> list[str]:
    """Preview lanes of the cluster, as far as it tells them while somebody waits."""
    found: list[str] = []
    asking = Thread(target=_ask, args=(context.params, found), daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return _beginning(incomplete, list(found))


def _ask(given: Mapping[str, Any], found: list[str]) -> None:
    with suppress(Exception):  # whatever is wrong, the line is not completed
        from meshconfig.cluster import previews
        from meshconfig.cluster.client import Client

        client = Client.connect(given.get("context"))
        found += [one.name for one in previews.each(client, given.get("namespace") or "default")]


def lanes(context: typer.Context, incomplete: str) -> list[str]:
    """Lanes of the spec."""
    return _beginning(incomplete, (name for spec in _specs(context) for name in _mapping(spec, "lanes")))


def new_lanes(context: typer.Context, incomplete: str) -> list[str]:
    """Names of versions that are no lane yet: a lane selects the versions of its name."""
    there = {name for spec in _specs(context) for name in _mapping(spec, "lanes")}
    return _beginning(incomplete, (name for name in _versions(context) if name not in there))


def groups(context: typer.Context, incomplete: str) -> list[str]:
    """Groups of the spec."""
    found = _documents(_files(context), "LaneGroup")
    return _beginning(incomplete, _texts(_mapping(one.value, "metadata").get("name") for one in found))


def namespaces(context: typer.Context, incomplete: str) -> list[str]:
    """Namespaces of the specs and manifests."""
    found = (_mapping(one, "metadata").get("namespace") for one in _manifests(context))
    return _beginning(incomplete, _texts(found))


def headers(context: typer.Context, incomplete: str) -> list[str]:
    """Headers that routes of VirtualServices ask for."""
    specs = (_mapping(one, "spec") for one in _manifests(context) if one.get("kind") == "VirtualService")
    matches = (match for spec in specs for route in _list(spec, "http") for match in _list(route, "match"))
    return _beginning(incomplete, _texts(name for match in matches for name in _mapping(match, "headers")))


def cases(context: typer.Context, incomplete: str) -> list[str]:
    """The names of the cases of routing tests."""
    given = [name for name in context.params.get("tests") or ([TESTS] if Path(TESTS).is_file() else []) if name != "-"]
    found = [one.value.get("spec") for one in _documents(given, "RouteTest")]
    every = (case for spec in found if isinstance(spec, Mapping) for case in spec.get("cases") or ())
    return _beginning(incomplete, _texts(case.get("name") for case in every if isinstance(case, Mapping)))


def codes(incomplete: str) -> list[tuple[str, str]]:
    """The codes of lint's rules, with their titles."""
    from meshconfig.lint import rules

    return [(one.code, one.title) for one in rules() if one.code.startswith(incomplete)]


def _versions(context: typer.Context) -> Iterable[str]:
    wanted = context.params.get("service")
    for spec in _specs(context):
        for name, service in _mapping(spec, "services").items():
            if wanted in (None, name):
                yield from _mapping(service, "versions")


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _texts(values: Iterable[Any]) -> Iterable[str]:
    return (value for value in values if isinstance(value, str))


def _files(context: typer.Context) -> list[str]:
    from meshconfig.cli.sources import DEFAULT

    given = [*(context.params.get("file") or ()), *(context.params.get("more") or ())]
    return [name for name in given if name != "-"] or ([DEFAULT] if Path(DEFAULT).is_file() else [])


def _specs(context: typer.Context) -> list[Any]:
    return [one.value.get("spec") for one in _documents(_files(context), "LaneGroup")]


def _documents(files: Iterable[str], kind: str) -> list[Any]:
    return [one for one in _read(files) if one.own and one.kind == kind]


def _manifests(context: typer.Context) -> Iterator[Mapping[str, Any]]:
    """The documents of the files; of a `List`, as `kubectl get -o yaml` prints it, its items."""
    for one in _read(_files(context)):
        items = _list(one.value, "items") if str(one.kind).endswith("List") else [one.value]
        yield from (item for item in items if isinstance(item, Mapping))


def _read(files: Iterable[str]) -> list[Any]:
    from meshconfig.load import load

    with suppress(GraylaneError):
        return load(files)
    return []


def _list(value: Any, name: str) -> list[Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, list) else []


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}
