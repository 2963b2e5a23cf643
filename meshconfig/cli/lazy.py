"""Commands whose modules are imported when a command is run, completed or asked for its help, and not before.

What lists commands (`graylane --help`, a shell's completion) needs their names and summaries alone.
"""

from importlib import import_module
from typing import Any, Final, Literal

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from meshconfig.cli.batch import batch

MARKUP: Final[Literal["markdown"]] = "markdown"


class LazyCommand(TyperCommand):
    """Stands for a command, or for a group of commands, until that is loaded.

    Parameters:
        name: what a user types.
        target: `MODULE:ATTRIBUTE` below `meshconfig.cli`: a function is one command, a `typer.Typer` is a group.
        summary: the first paragraph of the command's help.
        settings: click's context settings, for a function.
    """

    def __init__(self, name: str, target: str, summary: str, settings: dict[str, Any] | None = None) -> None:
        super().__init__(name, help=summary, rich_markup_mode=MARKUP)
        self._target = name, target, settings

    def load(self) -> TyperCommand | TyperGroup:
        """Import the module and build the command, as Typer builds one that is registered from the start."""
        from meshconfig.cli.sources import with_sources

        name, target, settings = self._target
        module, _, attribute = target.partition(":")
        found = getattr(import_module(f"meshconfig.cli.{module}"), attribute)
        parent = typer.Typer(rich_markup_mode=MARKUP)
        if isinstance(found, typer.Typer):
            for one in found.registered_commands:
                if one.callback:
                    one.callback = with_sources(one.callback)
            parent.add_typer(found, name=name)
        else:
            parent.command(name, context_settings=settings)(with_sources(found))
        command = get_group(parent).commands[name]
        assert isinstance(command, TyperCommand | TyperGroup)
        return command

    # To run, to complete and to explain a command, click first makes its context, and goes on with `context.command`.
    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        with batch():
            return self.load().make_context(info_name, args, parent, **extra)
