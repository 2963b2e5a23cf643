"""The command `graylane`: parses arguments, calls the packages below, and prints. It contains no routing logic.

Exit 0 done, 1 findings, differences or a failed change, 2 bad input or usage. A command whose 1 is an answer, such as
`diff`, exits with 2 for every error.
"""

import atexit
import gc
import io
import sys
import traceback

from meshconfig.cli.batch import batch
from meshconfig.errors import GraylaneError, InputError


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
        app()
    except GraylaneError as error:
        print(error if isinstance(error, InputError) else f"graylane: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `graylane render | head`
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # a full disk behind `graylane render > FILE`
        print(f"graylane: {error.strerror or error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        from meshconfig.cli import bare

        if not bare.extra_of(error):
            raise
        sys.exit(bare.answer(error))
    except Exception:  # noqa: BLE001  a fault of graylane's own; Python's 1 would be a difference to `graylane diff`
        traceback.print_exc()
        sys.exit(2)
