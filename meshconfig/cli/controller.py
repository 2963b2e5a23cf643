"""`graylane controller`: makes what LaneGroup objects say true in the mesh."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from meshconfig.bounded import share_one_heap
from meshconfig.cli import completion
from meshconfig.cli.background import stopped, tell
from meshconfig.cli.cluster import AllowNamespace, Context, Drain, Istiod, Timeout, Wait, connect
from meshconfig.cli.common import answering_by_exit_status, check_seconds, needs
from meshconfig.errors import InputError
from meshconfig.printable import say

HOME = "graylane-system"  # where k8s/controller runs it
IN_A_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics",
        metavar="PORT",
        min=1,
        max=65535,
        help="Port on which to serve /metrics and /healthz.",
        show_default=False,
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="HOST",
        help="Host of Prometheus or webhooks that is not public: HOST, HOST:PORT, an address or a network. Repeatable. "
        "Default: public https hosts alone.",
        show_default=False,
    ),
]


def command(
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            "-n",
            "--namespace",
            help="Namespace of the LaneGroups. Repeatable. Default: default.",
            show_default=False,
            autocompletion=completion.namespaces,
        ),
    ] = None,
    all_namespaces: Annotated[
        bool, typer.Option("-A", "--all-namespaces", help="Work for the LaneGroups of every namespace.")
    ] = False,
    lease_namespace: Annotated[
        str | None,
        typer.Option(
            "--lease-namespace",
            metavar="NAME",
            help="Namespace of the controller's Lease. Default: that of its Pod, else that of the LaneGroups if "
            f"it is one, else {HOME}.",
            show_default=False,
        ),
    ] = None,
    metrics: MetricsPort = None,
    timeout: Timeout = 300.0,
    drain: Drain = 5.0,
    wait: Wait = 10.0,
    istiod: Istiod = None,
    allow_namespace: AllowNamespace = None,
    allow_host: AllowHost = None,
    finalizers: Annotated[
        bool,
        typer.Option(
            "--finalizers",
            help="Do not run: list the objects that only a controller lets go, by a finalizer of graylane's. Exit "
            "status: 1 if there are any, 2 for every error. For the time before an uninstallation.",
        ),
    ] = False,
    context: Context = None,
) -> None:
    """Make LaneGroup objects true in the mesh, until Ctrl-C or SIGTERM: plan, change, wait for proxies, correct drift.

    `kubectl apply -f graylane.yaml` is then enough. The kinds have to be there: graylane crds. Several processes may
    run at once, as in `k8s/controller`. One of them works; if it stops, another one continues. Ctrl-C leaves the
    current plan at the next safe step; a second Ctrl-C ends the process at once.

    Examples:

        graylane controller -n demo

        graylane controller --all-namespaces --lease-namespace graylane-system --metrics 9464

        graylane controller -n demo -n shop --allow-host prometheus.monitoring:9090 --drain 30

        graylane controller -n demo --finalizers
    """
    if namespace and all_namespaces:
        raise InputError.at("controller", "takes --namespace or --all-namespaces, not both")
    check_seconds(timeout=timeout, drain=drain, wait=wait)
    with needs("mesh"):
        from meshconfig.exchange.allowed import Allowed
    where = () if all_namespaces else tuple(dict.fromkeys(namespace or ("default",)))
    if finalizers:
        _list_finalizers(context, where)
        return
    hosts = Allowed.of(allow_host or ())
    share_one_heap()
    client = connect(context)
    with needs("mesh"):
        from meshconfig.cluster.lanegroups import check_served
        from meshconfig.controller import Controller, Scope
        from meshconfig.rollout.runner import Settings
        from meshconfig.rollout.runner.metrics import Metrics, serve
    check_served(client)
    allowed = frozenset(allow_namespace or ())
    settings = Settings(istiod=istiod, timeout=timeout, drain=drain, wait=wait, allowed=allowed, hosts=hosts)
    shown = Metrics()
    scope = Scope(where, lease_namespace or _home(where))
    controller = Controller(client, scope, settings, tell=tell, metrics=shown)
    pages = nullcontext() if metrics is None else serve(metrics, shown)
    with stopped() as stop, pages:
        controller.run(stop)


@answering_by_exit_status()
def _list_finalizers(context: str | None, namespaces: tuple[str, ...]) -> None:
    client = connect(context)
    from meshconfig.cluster.finalizers import held

    found = held(client, namespaces or ("",))
    if found:
        counted = "1 object" if len(found) == 1 else f"{len(found)} objects"
        say(*map(str, found), f"a controller has to end the deletion of {counted}: delete them while it runs")
        raise typer.Exit(1)


def _home(namespaces: tuple[str, ...]) -> str:
    """The namespace of the Lease where none is named."""
    one = namespaces[0] if len(namespaces) == 1 else HOME
    try:
        return IN_A_POD.read_text("utf-8").strip() or one
    except OSError:
        return one
