"""`graylane rollout run`: carries out rollouts, in a terminal or as a Pod."""

from contextlib import nullcontext

import typer

from meshconfig.bounded import share_one_heap
from meshconfig.cli.cluster import AllowNamespace, Context, Drain, Istiod, Namespace, Timeout, Wait, connect
from meshconfig.cli.common import check_seconds, needs
from meshconfig.cli.service import AllowHost, MetricsPort, stopped, tell


def register(app: typer.Typer) -> None:
    app.command("run")(run)


def run(
    namespace: Namespace = "default",
    metrics: MetricsPort = None,
    timeout: Timeout = 300.0,
    drain: Drain = 5.0,
    wait: Wait = 10.0,
    istiod: Istiod = None,
    allow_namespace: AllowNamespace = None,
    allow_host: AllowHost = None,
    context: Context = None,
) -> None:
    """Carry out the rollouts of a namespace until Ctrl-C or SIGTERM: scale, shift requests, measure, notify.

    Several processes may run at once, also as the controller in `k8s/controller`. One of them works; if it stops,
    another one continues. Ctrl-C waits for the current action to end; a second Ctrl-C does not.

    A rollout names the URLs of Prometheus and webhooks. This command calls public hosts by https. Private addresses,
    loopback and hosts by plain http have to be named by --allow-host.

    Examples:

        graylane rollout run -n demo --allow-host prometheus.monitoring:9090

        graylane rollout run -n demo --metrics 9090 --drain 30
    """
    check_seconds(timeout=timeout, drain=drain, wait=wait)
    with needs("mesh"):
        from meshconfig.exchange.allowed import Allowed
    hosts = Allowed.of(allow_host or ())
    share_one_heap()
    client = connect(context)
    with needs("mesh"):
        from meshconfig.rollout.runner import Runner, Settings
        from meshconfig.rollout.runner.metrics import serve
    allowed = frozenset(allow_namespace or ())
    settings = Settings(istiod=istiod, timeout=timeout, drain=drain, wait=wait, allowed=allowed, hosts=hosts)
    runner = Runner(client, namespace, settings, tell=tell)
    pages = nullcontext() if metrics is None else serve(metrics, runner.metrics)
    with stopped() as stop, pages:
        runner.run(stop)
