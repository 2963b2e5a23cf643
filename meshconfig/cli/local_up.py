"""What `graylane local up` does: run the mesh, apply saved changes of the spec, print each request's path."""

import asyncio
import shlex
import signal
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from pathlib import Path

from meshconfig.cli.common import needs, note_skipped, stderr, stdout
from meshconfig.cli.console import Console, Text
from meshconfig.errors import GraylaneError
from meshconfig.local import mesh as meshes
from meshconfig.local import plan as plans
from meshconfig.local.mesh import Events, Mesh, MeshChange
from meshconfig.local.trace import RequestTrace
from meshconfig.local.watch import Saves

_LOOK = 0.1  # seconds between two reads of the processes' output


async def until_stopped(sources: Sequence[str], *, logs: bool = False, console: int | None = None) -> None:
    """Run the mesh until SIGINT or SIGTERM. An Envoy that ends by itself is an error.

    Parameters:
        logs: also print what the processes print.
        console: the port of a console for this mesh, 0 for any that is free; None for none.
    """
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await _first(_serve(sources, stdout(), stderr(), logs=logs, console=console), stopped.wait())


async def _serve(sources: Sequence[str], out: Console, errors: Console, *, logs: bool, console: int | None) -> None:
    saves = Saves(
        lambda: plans.files(sources)
    )  # taken before the files are read, so that a save in between is seen as a change
    documents = plans.documents(sources)
    note_skipped([one for one in documents if not one.own], "no spec of graylane")
    plan = plans.plan(documents)
    watching: list[Callable[[RequestTrace], None]] = [lambda trace: _print_trace(trace, out)]

    def told(trace: RequestTrace) -> None:
        for one in watching:
            one(trace)

    events = Events(trace=told, died=lambda message: _print_lines(message.split("\n"), errors))
    errors.print("starting Envoy and the services …")
    async with meshes.running(plan, events) as mesh:
        beside = [_print_logs(mesh, out)] if logs else []
        if console is not None:
            beside.append(_console(mesh, console, out, watching))
        _show(mesh, out, errors)
        await _first(_follow(mesh, sources, saves, out, errors), mesh.failed(), *beside)


def _console(
    mesh: Mesh, port: int, out: Console, watching: list[Callable[[RequestTrace], None]]
) -> Coroutine[None, None, None]:
    """Prints the console's address, and gives its server to run."""
    with needs("console"):
        from meshconfig.console import Settings, create_app
        from meshconfig.console.asking import Gateway
        from meshconfig.console.observed import FromMesh
        from meshconfig.console.serve import listen, server
        from meshconfig.console.settings import LOOPBACK
        from meshconfig.console.sources.local import OnThisMachine
    sock = listen(port)
    number = sock.getsockname()[1]
    settings = Settings.on_loopback(number)
    observer = FromMesh(lambda: [one.spec for one in mesh.plan.groups])
    watching.append(observer.add)
    gateway = next((Gateway(url) for _, url in mesh.gateways()), None)
    out.print(_plain(f"console  http://{LOOPBACK}:{number}/open/{settings.secret}", "bold"))
    return server(create_app(settings, OnThisMachine(mesh), observer=observer, gateway=gateway)).serve([sock])


async def _print_logs(mesh: Mesh, out: Console) -> None:
    """Print each line that a process prints, with the process's name before it."""
    read: dict[Path, int] = {}
    while True:
        for name, file in mesh.fleet.logs().items():
            with file.open("rb") as log:
                log.seek(read.get(file, 0))
                lines, newline, _ = log.read().rpartition(b"\n")
            read[file] = read.get(file, 0) + len(lines) + len(newline)
            for line in lines.decode(errors="replace").split("\n") if newline else ():
                out.print(_plain(f"{name} | {line}", "dim"))
        await asyncio.sleep(_LOOK)


async def _follow(mesh: Mesh, sources: Sequence[str], saves: Saves, out: Console, errors: Console) -> None:
    """Apply each saved change. An invalid one is reported, and the last valid routes stay in force."""
    async for saved in saves.times(lambda: mesh.fleet.has_dead):
        try:
            change = await mesh.change(plans.plan(plans.documents(sources)))
        except GraylaneError as error:
            _print_lines(error.lines, errors)
            errors.print("the last valid routes stay in force")
        else:
            out.print(_changed(change, time.time() - saved))
    await mesh.failed()  # standard input cannot change


async def _first(*works: Coroutine[None, None, object]) -> None:
    """Wait until the first of several tasks ends, and cancel the others."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def _show(mesh: Mesh, out: Console, errors: Console) -> None:
    for note in mesh.notes():
        errors.print(_plain(f"note: {note}", "yellow"))
    for listener, url in mesh.gateways():
        out.print(_plain(f"gateway  {url}  ({', '.join(listener.hosts)})", "bold"))
    for name, url in mesh.services().items():
        out.print(_plain(f"{name:<8} {url}  (as other services call it)"))
    out.print("try:")
    for line in curls(mesh):
        out.print(_plain(f"  {line}"))
    out.print("each request is printed here; Ctrl-C stops the mesh", style="dim")


def curls(mesh: Mesh) -> Iterator[str]:
    """Command lines for each entry: one without the tag, one for each lane."""
    for group, model in zip(mesh.plan.groups, mesh.plan.models, strict=True):
        for entry, written in zip(model.entries, group.spec.spec.entries, strict=True):
            host = entry.hosts[0].replace("*", "www") if entry.hosts[0] != "*" else ""
            lanes = list(group.spec.spec.lanes) if written.tag == "trusted" else []
            for url in (url for one, url in mesh.gateways() if one.serves(entry.hosts[0])):
                for lane in ["", *lanes]:
                    yield _curl(url + mesh.plan.example_path, host, model.tag, lane)


def _curl(url: str, host: str, tag: str, lane: str) -> str:
    headers = [f"Host: {host}"] * bool(host) + [f"{tag}: {lane}"] * bool(lane)
    return shlex.join(["curl", *(word for header in headers for word in ("-H", header)), url])


def _changed(change: MeshChange, seconds: float) -> Text:
    parts = [f"routes updated ({', '.join(change.resources)})"] if change.resources else []
    parts += [f"{name} started" for name in change.started]
    parts += [f"{name} stops" for name in change.stopped]
    parts += change.addresses
    what = ", ".join(parts) or "nothing to change"
    return _plain(f"{what}, live after {seconds * 1000:.0f} ms" if parts else what, "green")


def _print_trace(trace: RequestTrace, out: Console) -> None:
    """A line for the request, and for each of Envoy's flags in it a line that says it in words."""
    failed = any(hop.status >= 500 or hop.status == 0 for hop in trace.hops)
    out.print(_plain(str(trace), "red" if failed else ""))
    for reason in trace.reasons():
        out.print(_plain(f"    {reason}", "dim"))


def _print_lines(lines: Iterable[str], errors: Console) -> None:
    for line in lines:
        errors.print(_plain(line, "red"))


def _plain(text: str, style: str = "") -> Text:
    """Text that Rich prints as it is: brackets in it are no markup."""
    return Text(text, style=style)
