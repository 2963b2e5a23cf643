"""What a backend cannot express."""

from meshconfig.load import FieldPath
from meshconfig.model import Route


class UnsupportedError(ValueError):
    """A backend has nothing for a part of a table.

    Parameters:
        route: the route that asks for it; None where `field` says where it comes from.
        message: what was asked for, and what to write instead.
    """

    def __init__(self, route: Route | None, message: str, field: FieldPath = ()) -> None:
        super().__init__(message)
        self.field: FieldPath = field or (route.origin.field if route and route.origin else ())
        self.message = message
