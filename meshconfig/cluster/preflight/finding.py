"""A finding of preflight: a problem in the cluster, and how to fix it."""

from dataclasses import dataclass

from meshconfig.lint import Level


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem in the cluster.

    Parameters:
        level: an `error` stops the change before its first write, a `warning` does not.
        what: the problem, one sentence without its full stop.
        where: the object, such as `Service demo/cat-svc`.
        fix: the remedy: one sentence, or a command.
    """

    level: Level
    what: str
    where: str
    fix: str

    @property
    def lines(self) -> tuple[str, str]:
        """What is wrong, and what to do."""
        return f"{self.level}: {self.where}: {self.what}", f"  {self.fix}"

    def __str__(self) -> str:
        return "\n".join(self.lines)


def error(where: str, what: str, fix: str) -> Finding:
    return Finding(Level.ERROR, what, where, fix)


def warning(where: str, what: str, fix: str) -> Finding:
    return Finding(Level.WARNING, what, where, fix)
