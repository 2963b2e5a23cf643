"""The command line, called as a user calls it."""

import sys

import pytest

from meshconfig.cli import main


@pytest.fixture
def graylane(monkeypatch, capsys):
    """Run a command; gives (exit code, standard output, standard error)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["graylane", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return stopped.value.code or 0, printed.out, printed.err

    return run
