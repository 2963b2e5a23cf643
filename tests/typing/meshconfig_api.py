"""meshconfig as a tool around it calls it, checked by `mypy --strict` in `make lint`; it is never run.

The command `graylane` is the interface; this holds that what it is made of can be called without a cast.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, assert_type

from meshconfig import groups
from meshconfig.compile import compile_group
from meshconfig.duration import seconds, written
from meshconfig.errors import GraylaneError, InputError, Location, Problem
from meshconfig.istio import Resources
from meshconfig.load import Document, load, parse
from meshconfig.model import Model
from meshconfig.render import render, to_yaml
from meshconfig.simulate import ANY_GATEWAY, Decision, Index, Request, simulate
from meshconfig.version import version


def rendered(folder: Path) -> str:
    assert_type(load([str(folder)]), list[Document])
    models = [compile_group(group.spec) for group in groups.read([str(folder)])]
    assert_type(models, list[Model])
    assert_type(groups.groups(parse("kind: LaneGroup", "graylane.yaml"))[0].spec.metadata.name, str)
    manifests: Sequence[Mapping[str, Any]] = render(models, istio_api="v1beta1")
    return to_yaml(manifests)


def asked(manifests: list[dict[str, Any]]) -> str:
    request = Request("cat.example.com", "/hello", "GET", (("env", "gray"),), gateway=ANY_GATEWAY)
    decision = simulate(Index(Resources.parse(manifests)), request)
    assert_type(decision, Decision)
    return f"{decision.outcome} {decision.undecided}"


def refused(folder: Path) -> list[str]:
    try:
        groups.read([str(folder)])
    except InputError as error:
        assert_type(error.problems, tuple[Problem, ...])
        return [f"{one.location.file}:{one.location.line} {one.path} {one.message}" for one in error.problems]
    except GraylaneError:
        raise InputError([Problem(Location("graylane.yaml", 3), "spec", "is wrong")]) from None
    return []


assert_type(seconds("1h30m"), float)
assert_type(written(90), str)
assert_type(version(), str)
