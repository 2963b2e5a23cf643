"""What the commands that change a cluster refuse for a group's backend."""

from collections.abc import Iterable

from meshconfig.cluster.objects import Key
from meshconfig.cluster.plan.move import other, routes_of
from meshconfig.errors import InputError, Location, Problem, dotted
from meshconfig.load import FieldPath
from meshconfig.model import ISTIO_BACKEND, Model


class OtherBackendError(InputError):
    """The group has routes of another backend in the cluster than its spec has."""


def check_adoption(model: Model) -> None:
    """Checks that the backend's resources can take the place of others'.

    Raises:
        InputError: they are of the Gateway API.
    """
    if model.backend != ISTIO_BACKEND:
        message = "--adopt puts VirtualServices in the place of others' and no HTTPRoutes: delete the others' by hand"
        raise InputError([Problem(place(model, ("spec", "backend")), "spec.backend", message)])


def check_same_backend(model: Model, live: Iterable[Key]) -> None:
    """Checks that the group is in the cluster as its spec's backend writes it.

    Raises:
        OtherBackendError: only a move, which changes nothing else, loses no request there.
    """
    there = list(live)
    theirs = other(model.backend)
    if found := routes_of(theirs, there):
        field = ("spec", "backend")
        here = f"is {model.backend}, and in the cluster the group is"
        to = f"graylane move -f FILE --to {model.backend}"
        message = f"{here} {theirs}, such as {found[0]}: {to} moves it over and loses no request; or write {theirs}"
        if routes_of(model.backend, there):
            message = f"{here} half {theirs}, as a move was cut off: {to} ends it, and --to {theirs} goes the other way"
        raise OtherBackendError([Problem(place(model, field), dotted(field), message)])


def place(model: Model, path: FieldPath) -> Location:
    """The file and line of a field; the group's name for a spec from no file."""
    return model.locate(path) if model.locate else Location(f"LaneGroup {model.namespace}/{model.group}")
