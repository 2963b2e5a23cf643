"""The resources of a model as an API server stores them, so that they compare equal with what it returns."""

from collections.abc import Callable, Sequence

from meshconfig.backend import backend
from meshconfig.cluster.objects import Manifest
from meshconfig.model import Model, Table
from meshconfig.render import IstioApi, lowered, owner


def lowering(model: Model, api: IstioApi) -> Callable[[Table], Sequence[Manifest]]:
    """The function that returns the resources of a table of a model.

    It raises InputError where the model's backend cannot express a part of the table.
    """
    whose, stored = owner(model, api), backend(model.backend).stored

    def lower(table: Table) -> Sequence[Manifest]:
        return [stored(one) for _, found in lowered(model, [table], whose) for one in found]

    return lower


def resources(model: Model, api: IstioApi) -> list[Manifest]:
    """All resources of a model."""
    lower = lowering(model, api)
    return [one for table in model.routing().tables for one in lower(table)]
