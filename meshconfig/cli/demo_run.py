"""What `graylane demo` does: start the example, send requests, print which version answered."""

import asyncio
import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box

from meshconfig.cli.common import stderr, stdout
from meshconfig.cli.console import Console, Table
from meshconfig.errors import LocalMeshError
from meshconfig.local import demo, mesh
from meshconfig.local import plan as plans
from meshconfig.local.demo import Answer, Chain, Question
from meshconfig.local.mesh import Events

_LIMIT = 120.0  # seconds for the whole demo
_SERVICES = "demo_services"
_EXAMPLE = "cat-mouse/graylane.yaml"


def run(file: str | None) -> bool:
    """Run the demo; True if every answer came from the expected version. `file`: a spec in place of the example's."""
    answers = asyncio.run(_within_limit(file or str(_example()), stdout()))
    wrong = list(demo.failures(answers))
    for line in wrong:
        stderr().print(line, style="red")
    stderr().print(f"to see the lanes in a browser: graylane local up -f {file or _example()} --console")
    return not wrong


def _example() -> Path:
    """The example's spec: packaged beside the demo services, or in a checkout.

    Raises:
        LocalMeshError: the demo services are not installed.
    """
    spec = importlib.util.find_spec(_SERVICES)
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    places = [folder / _EXAMPLE, folder.parent / "examples" / _EXAMPLE]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise LocalMeshError("the example is not installed: pip install 'graylane[demo]'")
    return found


async def _within_limit(file: str, out: Console) -> list[Answer]:
    try:
        async with asyncio.timeout(_LIMIT):
            return await _demo(file, out)
    except TimeoutError:
        raise LocalMeshError(f"the demo did not end within {_LIMIT:g} s") from None


async def _demo(file: str, out: Console) -> list[Answer]:
    progress, documents = stderr(), plans.documents([file])
    plan = plans.plan(documents)
    demo.check(plan, file)
    progress.print(f"starting {len(plan.workloads)} processes and Envoy …")
    async with mesh.running(plan, Events(died=lambda message: progress.print(message))) as running:
        first = await demo.ask(running, demo.WITH_BOTH)
        _print(out, "Requests to the gateway", [one for one in first if not one.question.direct])
        _print(out, "Requests from cat directly to mouse", [one for one in first if one.question.direct])
        progress.print("removing mouse's gray version from the spec while everything keeps running …")
        await running.change(plans.plan(demo.without_gray_mouse(documents)))
        second = await demo.ask(running, demo.WITHOUT_GRAY_MOUSE)
        _print(out, "Requests to the gateway, without mouse's gray version", second)
    return first + second


def _print(out: Console, title: str, answers: Sequence[Answer]) -> None:
    table = Table(title=title, title_justify="left", box=box.SIMPLE if out.is_terminal else None, pad_edge=False)
    for name in ("asked", "expected", "cat", "mouse", "saw", ""):
        table.add_column(name, no_wrap=True)
    for one in answers:
        table.add_row(*_row(one), style="" if one.right else "red")
    out.print(table)
    for one in answers:
        if one.trail:
            out.print(f"  {_asked(one.question)}: {demo.TRAIL} {' → '.join(one.trail)}")


def _row(one: Answer) -> Iterable[str]:
    chain = one.chain
    yield from (_asked(one.question), _expected(one.question.expected), chain.cat or "–", chain.mouse, chain.saw or "–")
    yield "✓" if one.right else "✗"


def _asked(question: Question) -> str:
    return ", ".join(f"env: {value}" for value in question.tags) or "no header"


def _expected(chain: Chain) -> str:
    """Short, so that the table fits a terminal of 80 columns."""
    return f"{' → '.join(filter(None, (chain.cat, chain.mouse)))}, saw {chain.saw or 'no tag'}"
