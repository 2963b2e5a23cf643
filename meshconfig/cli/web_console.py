"""`graylane console`: pages on which a person sees lanes and changes versions."""

from threading import Event
from typing import Annotated

import typer

from meshconfig.cli.cluster import Context, Istiod, connect
from meshconfig.cli.common import needs
from meshconfig.errors import InputError
from meshconfig.printable import say

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
    istiod: Istiod = None,
    context: Context = None,
) -> None:
    """Serve pages that show lanes and services, and change versions as the commands do, until Ctrl-C.

    Every read and write is made with the person's own rights: those of the kubeconfig, or with --public those of the
    token that the proxy sends or the person pastes in. Open the address that it prints; it has a secret.

    Examples:

        graylane console

        graylane console --context staging --port 8088

        graylane console --public https://console.example.com
    """
    with needs("console"):
        from meshconfig.console import Settings, create_app
        from meshconfig.console.security.entrance import Access
        from meshconfig.console.serve import listen, run
        from meshconfig.console.settings import LOOPBACK
        from meshconfig.console.sources.access import ByKubeconfig, ByToken
    access: Access
    if public is not None:
        if context is not None:
            raise InputError.at("--context", "is not for --public, where nobody's kubeconfig is used")
        settings = Settings.behind_proxy(public)
        access = ByToken.in_cluster(istiod)
        sock = listen(port or PORT, EVERYWHERE)
        say(f"console  {public}  (listens on port {port or PORT}; each person needs a token)")
    else:
        access = ByKubeconfig(connect(context), istiod)
        sock = listen(port or 0)
        number = sock.getsockname()[1]
        settings = Settings.on_loopback(number)
        say(f"console  http://{LOOPBACK}:{number}/open/{settings.secret}")
    stop = Event()
    run(create_app(settings, access, stop), sock, stop)
