"""`graylane rollout run`, of earlier releases: says which command took its place."""

from itertools import pairwise

import typer

from meshconfig.errors import InputError


def register(app: typer.Typer) -> None:
    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    app.command("run", hidden=True, context_settings=settings)(run)


def run(context: typer.Context) -> None:
    """Took rollouts forward in earlier releases: `graylane controller` does."""
    words = context.args
    place = next((after for word, after in pairwise(words) if word in ("-n", "--namespace")), "NS")
    raise InputError.at(
        "graylane rollout run",
        f"graylane controller -n {place} took its place; before that, graylane rollout migrate -n {place} takes over "
        "rollouts that earlier releases began",
    )
