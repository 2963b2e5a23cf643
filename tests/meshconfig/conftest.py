"""The command line, called as a user calls it."""

import json
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


@pytest.fixture
def run(graylane):
    """A command that ends as it should, and what it prints; as JSON where that is asked for."""

    def run(*arguments, code=0):
        found, out, err = graylane(*arguments)
        assert found == code, out + err
        assert "Traceback" not in out + err
        return json.loads(out) if "json" in arguments else out + err

    return run
