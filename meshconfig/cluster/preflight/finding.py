"""What keeps a change from doing what it should, and how to mend it."""

from dataclasses import dataclass

from meshconfig.lint import Level


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as a change needs it.

    Parameters:
        level: an `error` stops the change before its first write, a `warning` does not.
        what: what is wrong, one sentence without its end.
        where: the object, `Service demo/cat-svc`.
        fix: what to do: one sentence, or a command.
    """

    level: Level
    what: str
    where: str
    fix: str

    def __str__(self) -> str:
        return f"{self.level}: {self.where}: {self.what}\n  {self.fix}"


def error(where: str, what: str, fix: str) -> Finding:
    return Finding(Level.ERROR, what, where, fix)


def warning(where: str, what: str, fix: str) -> Finding:
    return Finding(Level.WARNING, what, where, fix)
