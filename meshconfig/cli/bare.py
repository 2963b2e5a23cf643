"""What `graylane` says where it is installed without the packages that its commands need."""

import json
import sys
from pathlib import Path

from meshconfig.printable import put, say
from meshconfig.version import version

# Top-level module → the extra of the package `graylane` that installs it.
EXTRAS = {
    **dict.fromkeys(
        ("typer", "pydantic", "yaml", "rich", "ruamel", "re2", "kubernetes", "urllib3", "certifi", "prometheus_client"),
        "mesh",
    ),
    **dict.fromkeys(("httpx", "watchfiles"), "local"),
    **dict.fromkeys(("starlette", "uvicorn", "flask", "gunicorn"), "demo"),
}


def extra_of(error: ModuleNotFoundError) -> str | None:
    """The extra that installs a missing module; None for a module that no extra installs."""
    return EXTRAS.get((error.name or "").partition(".")[0])


def answer(error: ModuleNotFoundError) -> int:
    """Print what can be said without the missing module: the version, the list of commands, or what to install.

    Returns:
        The exit status.
    """
    words = sys.argv[1:]
    advice = f"pip install 'graylane[{extra_of(error)}]'"
    if "--version" in words[:1]:
        say(f"graylane {version()}")
        return 0
    if not words or words[0] in ("--help", "-h"):
        put(_help(advice))
        return 0
    module = (error.name or "").partition(".")[0]
    say(f"graylane: {module} is not installed: {advice}", error=True)
    return 2


def _help(advice: str) -> str:
    summaries = json.loads(Path(__file__).with_name("summaries.json").read_text("utf-8"))
    commands = "".join(f"  {name:<10} {' '.join(text.split())}\n" for name, text in summaries.items())
    return (
        f"Usage: graylane [OPTIONS] COMMAND [ARGS]...\n\nCommands:\n{commands}\n"
        "Only what services need is installed here (the package propagation). The commands above need more:\n"
        f"  {advice}           the commands above\n"
        "  pip install 'graylane[local]'          and `graylane local up`\n"
        "  pip install 'graylane[demo]'           and `graylane demo`\n"
    )
