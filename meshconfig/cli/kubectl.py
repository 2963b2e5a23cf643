"""`kubectl graylane`: the same program as a plugin of kubectl, which finds plugins by the names of programs.

Source: kubernetes/kubectl `pkg/cmd/plugin/plugin_completion.go`: the program `kubectl_complete-NAME` gets the words
behind `kubectl NAME`, of which the last is to be completed and may be empty, and prints `VALUE<TAB>DESCRIPTION` lines.
"""

import os
import shlex
import sys
from pathlib import PurePath

PROGRAM = "kubectl-graylane"


def program_name() -> str | None:
    """How the program calls itself where kubectl has started it; None where nobody has."""
    return "kubectl graylane" if PurePath(sys.argv[0]).stem == PROGRAM else None


def complete() -> None:
    """Print what a shell may put in place of the last word. Typer's lines for fish have kubectl's format."""
    from meshconfig.cli import main

    *words, last = sys.argv[1:] or [""]
    line = f"{shlex.join(['graylane', *words])} {shlex.quote(last) if last else ''}"
    os.environ |= {
        "_GRAYLANE_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": line,
    }
    sys.argv = ["graylane"]
    main()
