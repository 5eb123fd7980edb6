"""What a shell completes: names of categories, samplers and other sets of words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

SAMPLERS = ("ddpm", "ddim", "heun", "dpmpp-2m", "sde-dpmpp-2m", "unipc", "ipndm", "ipndm-v")


def categories(context: typer.Context, incomplete: str) -> list[str]:
    """List the names that the last category of a mixture can have: those of the weights given."""
    from galgen.categories import DEFAULT, Taxonomy

    tree = DEFAULT
    weights: Path | None = context.params.get("weights")
    if weights is not None:
        from galgen.settings import read_json

        try:
            nodes = read_json(Path(weights) / "config.json").get("categories")
            tree = DEFAULT if nodes is None else Taxonomy.from_json(nodes)
        except (OSError, ValueError, RecursionError):
            pass  # the command will say what is wrong with them
    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in tree.names if name.startswith(last.lower())]


def words(*known: str) -> Callable[[str], list[str]]:
    """Make the completion of an option that takes one of some words."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in known if word.startswith(incomplete)]

    return complete
