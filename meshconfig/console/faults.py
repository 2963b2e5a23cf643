"""Why a request is not answered with its page; `error_pages` says what a person can do."""

from meshconfig.errors import GraylaneError


class NoSessionError(GraylaneError):
    """The browser has not come in by the address that the console printed."""


class ElsewhereError(GraylaneError):
    """A link of another site has led here, so that the browser has kept its `SameSite=Strict` cookie back."""


class FormError(GraylaneError):
    """A form lacks the token of its page, or has no shape of a form."""


class TooLargeError(FormError):
    """A request's body is larger than any form of the console."""


class MissingError(GraylaneError):
    """There is no such group, revision or change."""


class NotStoppableError(GraylaneError):
    """The controller carries out the change, which this console only watches."""


class BusyError(GraylaneError):
    """The person has as many changes under way as one person may have."""


class TakenError(GraylaneError):
    """Something else has the name already; nothing was written."""


class ChangedError(GraylaneError):
    """Somebody else has changed the group since the person looked at it; nothing was written."""
