"""`graylane console`: pages on which a person sees lanes and changes versions."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from meshconfig.cli.cluster import Context, Istiod, connect
from meshconfig.cli.common import needs
from meshconfig.errors import InputError
from meshconfig.printable import say

if TYPE_CHECKING:  # it is imported once the extra is known to be there
    from meshconfig.console.observed import Observer

PORT = 8088  # behind a proxy
EVERYWHERE = "0.0.0.0"


def command(
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="PORT",
            min=1,
            max=65535,
            help=f"Port to listen on. Default: a free one, and {PORT} with --public.",
            show_default=False,
        ),
    ] = None,
    public: Annotated[
        str | None,
        typer.Option(
            "--public",
            metavar="URL",
            help="URL of the console for browsers, in a Pod behind an authenticating proxy. Each person then needs a "
            "Kubernetes token. Default: this machine alone, with the kubeconfig.",
            show_default=False,
        ),
    ] = None,
    prometheus: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Prometheus with Istio's metrics and the label lane, for the graph and carry rates.",
            show_default=False,
        ),
    ] = None,
    otlp: Annotated[
        list[str] | None,
        typer.Option(
            "--otlp-listen",
            metavar="ADDRESS",
            help="HOST:PORT (gRPC) or http://HOST:PORT to receive access logs at, for the graph and carry rates. "
            "Repeatable.",
            show_default=False,
        ),
    ] = None,
    gateway: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="http://HOST:PORT of the mesh's gateway. The page Ask sends requests there, for hosts of the "
            "group's entries alone. Default: it only explains.",
            show_default=False,
        ),
    ] = None,
    istiod: Istiod = None,
    context: Context = None,
) -> None:
    """Serve pages that show lanes and services, and change versions as the commands do, until Ctrl-C.

    Every read and write is made with the person's own rights: those of the kubeconfig, or with --public those of the
    token that the proxy sends or the person pastes in. Open the address that it prints; it has a secret.

    Examples:

        graylane console

        graylane console --context staging --port 8088

        graylane console --prometheus http://127.0.0.1:9090 --gateway http://127.0.0.1:8080

        graylane console --public https://console.example.com
    """
    with needs("console"):
        from meshconfig.cluster.change import Choices
        from meshconfig.console import Settings, create_app
        from meshconfig.console.asking import Gateway
        from meshconfig.console.jobs import Jobs
        from meshconfig.console.security.entrance import Access
        from meshconfig.console.serve import listen, run
        from meshconfig.console.settings import LOOPBACK
        from meshconfig.console.sources.access import ByKubeconfig, ByToken
    asked = Gateway.parse(gateway) if gateway else None
    choices = Choices(istiod=istiod)
    access: Access
    if public is not None:
        if context is not None:
            raise InputError.at("--context", "is not for --public, where nobody's kubeconfig is used")
        settings = Settings.behind_proxy(public)
        access = ByToken.in_cluster(choices)
        sock = listen(port or PORT, EVERYWHERE)
        where = f"console  {public}  (listens on port {port or PORT}; each person needs a token)"
    else:
        access = ByKubeconfig(connect(context), choices)
        sock = listen(port or 0)
        number = sock.getsockname()[1]
        settings = Settings.on_loopback(number)
        where = f"console  http://{LOOPBACK}:{number}/open/{settings.secret}"
    stop, jobs = Event(), Jobs()
    with observing(prometheus, otlp or []) as observer:
        say(where)
        run(create_app(settings, access, stop, jobs, observer=observer, gateway=asked), sock, stop)
    jobs.stop_all()


@contextmanager
def observing(prometheus: str | None, otlp: Sequence[str]) -> "Iterator[Observer | None]":
    """What is observed of requests while the block runs.

    Raises:
        InputError: an address is none, or both are given.
    """
    from meshconfig.cli.carry import listens, prometheus_at
    from meshconfig.console.observed import FromLogs, FromMetrics

    if prometheus and otlp:
        raise InputError.at("graylane console", "takes one of --prometheus URL and --otlp-listen ADDRESS")
    if prometheus:
        server = prometheus_at(prometheus)
        try:
            yield FromMetrics(server)
        finally:
            server.close()
    elif otlp:
        with needs("carry"):
            from meshconfig.otlp import Intake, listening
        intake = Intake()
        observer = FromLogs(intake)
        with needs("carry"), listening(listens(otlp), intake), observer.running():
            yield observer
    else:
        yield None
