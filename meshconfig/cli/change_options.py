"""The options of the commands that change a cluster: said once, as dataclasses, and given to whichever takes them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshconfig.cli.cluster import Adopt, BreakLock, Context, Drain, Fast, Istiod, Timeout, Wait
from meshconfig.cli.common import Output, OutputFormat, batch, needs

if TYPE_CHECKING:
    from meshconfig.cluster.change import Choices

DryRun = Annotated[bool, typer.Option("--dry-run", help="Ask the API server about all of it, and write nothing.")]


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """How the cluster is changed; each field is an option."""

    dry_run: DryRun = False
    break_lock: BreakLock = False
    timeout: Timeout = 300.0
    drain: Drain = 5.0
    wait: Wait = 10.0
    istiod: Istiod = None
    context: Context = None
    output: OutputFormat = Output.TEXT

    def choices(self) -> "Choices":
        with needs("mesh"):
            from meshconfig.cluster.change import Choices
        return Choices(
            dry_run=self.dry_run,
            break_lock=self.break_lock,
            timeout=self.timeout,
            drain=self.drain,
            wait=self.wait,
            istiod=self.istiod,
        )


@dataclass(frozen=True, slots=True)
class ApplyOptions(ChangeOptions):
    """As `ChangeOptions`, where something new is put there."""

    adopt: Adopt = False
    fast: Fast = False

    def choices(self) -> "Choices":
        return replace(ChangeOptions.choices(self), adopt=self.adopt, fast=self.fast)


def with_options(options: type[ChangeOptions]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command whose parameter `how` stands for the options that are the fields of a dataclass."""
    parameters = [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=one.type)
        for one in fields(options)
    ]

    def taking(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**given: Any) -> None:
            how = options(**{one.name: given.pop(one.name) for one in parameters})
            with batch():
                command(**given, how=how)

        own = [one for one in inspect.signature(command).parameters.values() if one.name != "how"]
        keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
        signature = inspect.Signature([*keyword, *parameters])
        run.__signature__ = signature  # type: ignore[attr-defined]  # so inspect documents it
        run.__annotations__ = {one.name: one.annotation for one in (*keyword, *parameters)}
        del run.__wrapped__  # or its signature would be taken
        return run

    return taking
