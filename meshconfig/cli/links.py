"""`graylane links`: what to give to testers, so that they reach a lane."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from meshconfig import links
from meshconfig.cli import completion
from meshconfig.cli.common import Files, Output, OutputFormat, read_groups
from meshconfig.errors import InputError, nearest
from meshconfig.groups import Group
from meshconfig.printable import say, say_json

NONE = "no way for a browser or curl: the entry ignores tags, and has no cookie and no host for it"


def command(
    file: Files,
    lane: Annotated[
        str | None,
        typer.Option(
            metavar="LANE",
            help="Only this lane. Default: all lanes.",
            show_default=False,
            autocompletion=completion.lanes,
        ),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Print only profiles for a browser extension that sets headers, as JSON.")
    ] = False,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Print what to give to testers: for each entry and lane a curl command, and the link and the host where there are.

    With --profile, prints a JSON file that browser extensions for headers import, such as ModHeader: its profiles send
    a lane's tag to the entry's hosts alone.

    Examples:

        graylane links -f graylane.yaml

        graylane links -f graylane.yaml --lane gray --profile > gray.json
    """
    found = list(_of_lane(read_groups(file), lane))
    if profile:
        say_json([way.profile for way in found if way.profile])
    elif output is Output.JSON:
        say_json([way.as_json() for way in found])
    else:
        _print(found)


def _of_lane(groups: Sequence[Group], lane: str | None) -> Iterator[links.WaysIn]:
    """The ways into one lane, or into all.

    Raises:
        InputError: no group has this lane.
    """
    lanes = {name: None for group in groups for name in group.spec.spec.lanes}
    if lane is not None and lane not in lanes:
        raise InputError.at("--lane", f"there is no lane {lane}{nearest(lane, lanes)}")
    return (way for group in groups for way in links.ways_in(group.spec) if lane in (None, way.lane))


def _print(found: Sequence[links.WaysIn]) -> None:
    for number, way in enumerate(found):
        if number == 0 or found[number - 1].host != way.host:
            say(f"{way.host}")
        given = {"ask": way.curl, "link": way.link, "host": way.address, "split": way.bucket}
        for position, (name, text) in enumerate([pair for pair in given.items() if pair[1]] or [("", NONE)]):
            say(f"  {'' if position else way.lane:<16} {name:<5} {text}".rstrip())
    if not found:
        say("no entry: nothing comes in from outside")
