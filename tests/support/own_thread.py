"""Changes what a module does for the test alone: threads that an earlier test has left go on with the real thing."""

import threading


def here_only(changed, real):
    """A function that is `changed` where this thread calls it, and `real` in all others."""
    here = threading.get_ident()

    def called(*given, **more):
        return (changed if threading.get_ident() == here else real)(*given, **more)

    return called
