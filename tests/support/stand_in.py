"""The base of a class that stands for another in a test: mypy takes it for anything."""

from typing import TYPE_CHECKING

from meshconfig.bounded import InTurn

if TYPE_CHECKING:
    from typing import Any as StandIn
else:  # Any as a base takes no arguments in Python 3.11
    StandIn = object

__all__ = ["Listing", "StandIn"]


class Listing(StandIn):
    """In place of a client that lists resources by `list_resources`: it reads them into anything as well."""

    reading, lists = InTurn(), InTurn()

    def read_into(self, new, add, kind, namespace, selector="", *, page=0, stored=False, istio_api="v1"):
        found = new()
        for one in self.list_resources(kind, namespace, selector):
            add(found, one)
        return found
