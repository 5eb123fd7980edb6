"""``galgen evaluate``: generated galaxies beside real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from galgen.cli.options import Catalog, Overwrite
from galgen.cli.suffixes import named


def evaluate(
    catalog: Catalog,
    reference: Annotated[
        list[Path], Option(help="Real galaxies: anything 'galgen train' reads. Repeat to join.")
    ],
    out: Annotated[
        Path | None,
        Option("--out", "-o", help="JSON to write.", callback=named("a JSON file", ".json")),
    ] = None,
    seed: Annotated[int, Option(help="Seed of the random halves.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Compare a catalogue's colours, sizes and shapes with real galaxies.

    Each number is the Wasserstein-1 distance to the real galaxies divided by the distance between
    two halves of the real galaxies: 1 cannot be told apart.
    """
    import json

    from galgen.evaluation import evaluate as compare
    from galgen.system.files import check_output, written_aside

    if out is not None:
        check_output(out, overwrite, [catalog, *reference])
    found = compare(catalog, reference, seed=seed)
    typer.echo(found.table())
    if out is not None:
        text = json.dumps(found.to_json(), indent=1) + "\n"
        with written_aside(out) as aside:
            aside.write_text(text)
