"""The base of a class that stands for another in a test: mypy takes it for anything."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any as StandIn
else:  # Any as a base takes no arguments in Python 3.11
    StandIn = object

__all__ = ["StandIn"]
