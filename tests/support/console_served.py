"""A console, or any application, behind the console's own server."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from meshconfig.console import serve


@contextmanager
def served(make: Callable[[int], ASGIApp]) -> Iterator[int]:
    """The port of a server.

    Parameters:
        make: gives the application, which knows its port.
    """
    sock = serve.listen(0)
    port = sock.getsockname()[1]
    one = serve.server(make(port))
    thread = threading.Thread(target=one.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        yield port
    finally:
        one.should_exit = True
        thread.join()
