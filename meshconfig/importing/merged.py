"""Resources that stand for others: what several resources of the Gateway API are together, in the words of Istio."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from meshconfig.errors import Location
from meshconfig.importing.said import Unsaid
from meshconfig.istio.resources import Resource, S


@dataclass(frozen=True, slots=True)
class Merged(Resource[S]):
    """A VirtualService or a DestinationRule that nobody wrote.

    Parameters:
        parts: the resources that it stands for.
        rules: of each of its routes, the resource that it comes from and the number of its rule there.
        together: what it shares with all others that must be imported or left alone together with it.
        listener: the listener of the Gateway; empty for all of them.
        unsaid: what of the parts a spec cannot say.
    """

    parts: tuple[Resource[Any], ...] = ()
    rules: tuple[tuple[Resource[Any], int], ...] = ()
    together: str = ""
    listener: str = ""
    unsaid: tuple[Unsaid, ...] = ()

    def __str__(self) -> str:
        return ", ".join(map(str, self.parts))

    def locate(self, *path: str | int) -> Location:
        """Where the part stands that a field comes from."""
        match path:
            case ("spec", "http", int(number), *_):
                part, rule = self.rules[number]
                return part.locate("spec", "rules", rule)
        return self.parts[0].locate("spec")

    def written(self, number: int) -> str:
        """The rule that a route comes from, for people."""
        part, rule = self.rules[number]
        return f"{part} rules[{rule}]"


def owner(resource: Resource[Any]) -> str:
    """What is imported or left alone as a whole: a resource, or all parts that Istio merges with one another."""
    return resource.together if isinstance(resource, Merged) else resource.key


def originals(resources: Iterable[Resource[Any]]) -> Iterator[Resource[Any]]:
    """The resources that some stand for."""
    for one in resources:
        yield from one.parts if isinstance(one, Merged) else (one,)
