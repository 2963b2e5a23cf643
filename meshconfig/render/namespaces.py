"""The namespaces of groups, for resources of which a namespace has one, whichever group it is."""

from collections.abc import Iterable, Iterator

from meshconfig.errors import InputError
from meshconfig.model import Model


def namespaces(models: Iterable[Model], option: str, why: str) -> Iterator[tuple[Model, str]]:
    """Each namespace that has services, with the group that they are of.

    Parameters:
        option: the command's, for the error.
        why: a clause that follows the one about the two groups, and says what there would be twice.

    Raises:
        InputError: two groups have services in one namespace.
    """
    owner: dict[str, Model] = {}
    for model in models:
        for namespace in dict.fromkeys(service.namespace for service in model.services):
            other = owner.setdefault(namespace, model)
            if other is not model:
                groups = f"groups {other.group} and {model.group}"
                both = f"{groups} both have services in namespace {namespace}, {why}"
                raise InputError.at(option, f"{both}: put them into one group")
            yield model, namespace
