"""The command `graylane`: parses arguments, calls the packages below, and prints. It contains no routing logic.

Exit 0 done, 1 findings, differences or a failed change, 2 bad input or usage. A command whose 1 is an answer, such as
`diff`, exits with 2 for every error.
"""

import atexit
import gc
import io
import sys
import traceback
from typing import TYPE_CHECKING, Any

from meshconfig.cli.batch import batch
from meshconfig.cli.kubectl import program_name
from meshconfig.errors import GraylaneError
from meshconfig.printable import escape, put, say

if TYPE_CHECKING:
    import typer


def main() -> None:
    """Run the command line. An error that the user can fix is printed as one line, without a traceback."""
    # Before it exits, Python would search all objects for cycles: a tenth of the time that `graylane render` takes.
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # output has arrows: a locale without them must not end the command with UnicodeEncodeError
            stream.reconfigure(errors="backslashreplace")
    try:
        with batch():
            from meshconfig.cli.commands import app
        sys.exit(_status(app))
    except GraylaneError as error:
        say(*error.lines, error=True)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `graylane render | head`
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # a full disk behind `graylane render > FILE`
        say(f"graylane: {error.strerror or error}", error=True)
        sys.exit(2)
    except ModuleNotFoundError as error:
        from meshconfig.cli import bare

        if not bare.extra_of(error):
            raise
        sys.exit(bare.answer(error))
    except Exception:  # noqa: BLE001  a fault of graylane's own; Python's 1 would be a difference to `graylane diff`
        put(escape(traceback.format_exc()), error=True)
        sys.exit(2)


def _status(app: "typer.Typer") -> int:
    """Run a command. Typer prints usage errors, with the user's words in them escaped. Returns the exit status."""
    import typer

    usage_error: Any = typer.BadParameter.__base__  # Typer does not export it by its name
    try:
        status = app(standalone_mode=False, prog_name=program_name())
    except usage_error as error:
        from typer.rich_utils import rich_format_error

        message = escape(error.format_message())
        error.format_message = lambda: message
        rich_format_error(error)
        return int(error.exit_code)
    except typer.Abort:
        say("Aborted.", error=True)
        return 1
    return status if isinstance(status, int) else 0
