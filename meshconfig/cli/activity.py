"""What a long command does now: a line that changes, on a terminal alone, and lines that stay."""

from rich.status import Status

from meshconfig.cli.console import Console, Text


class Activity:
    """The line that changes belongs to a title, such as a step; it is gone once that is over."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._title = ""

    def begin(self, title: str) -> None:
        self.end()
        self._title = title
        if self._console.is_terminal:
            self._status = self._console.status(Text(f"{title} …"))
            self._status.start()

    def now(self, what: str) -> None:
        if self._status:
            self._status.update(Text(f"{self._title}: {what}"))

    def end(self) -> None:
        if self._status:
            self._status.stop()
            self._status = None

    def line(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style))
