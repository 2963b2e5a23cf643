"""`python -m propagation`: see `propagation.doctor`."""

import os
import sys
from threading import Timer

from propagation.doctor import main

_SECONDS = 5.0  # for the end of an app's own threads and exit handlers


def _end(code: int) -> None:
    """Exit, also where an app has left a thread that never ends."""
    sys.stdout.flush()
    sys.stderr.flush()
    last = Timer(_SECONDS, os._exit, (code,))
    last.daemon = True
    last.start()
    sys.exit(code)


if __name__ == "__main__":
    _end(main())
