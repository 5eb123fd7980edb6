"""``galgen mass``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from galgen.cli import survey


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(mass)


def mass(
    out: Annotated[Path, Option(help="FITS file to write.")],
    category: Annotated[
        str | None, Option(help="A category, or a mixture such as 'spiral:0.6,smooth:0.4'.")
    ] = None,
    n: Annotated[int | None, Option(help="How many galaxies; of a table, all rows.")] = None,
    seed: Annotated[int, Option(help="Galaxy i of a seed is always the same galaxy.")] = 0,
    steps: Annotated[int | None, Option(help="Steps of the sampler.")] = None,
    sampler: Annotated[
        str | None, Option(help="ddpm, ddim, heun, dpmpp-2m, unipc, ipndm or ipndm-v.")
    ] = None,
    guidance: Annotated[
        float, Option(help="Classifier-free guidance; 1 is none, above 1 exaggerates.")
    ] = 1.0,
    property: Annotated[
        list[str] | None,
        Option(help="Fix a property: name=value or name=low:high. Repeat for several."),
    ] = None,
    population: Annotated[
        bool, Option(help="Draw the other properties from the training population.")
    ] = True,
    weights: Annotated[Path | None, Option(help="Weights folder, if not the shipped one.")] = None,
    batch: Annotated[
        int | None, Option(help="Galaxies that go through the network together: 32, 512 on a GPU.")
    ] = None,
    device: Annotated[str | None, Option(help="cpu, cuda, cuda:1 ...")] = None,
    dtype: Annotated[
        str | None, Option(help="float32, bfloat16 or float16: float32, bfloat16 on a GPU.")
    ] = None,
    compile: Annotated[
        bool, Option("--compile", help="Compile the network first: minutes once, then faster.")
    ] = False,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace an existing file.")] = False,
    quiet: Annotated[bool, Option("--quiet", help="No progress, no summary.")] = False,
    like: survey.Like = None,
    map: survey.Map = None,
    drop: survey.Drop = None,
    strict: survey.Strict = False,
    flux_unit: survey.FluxUnit = None,
    mag_zero: survey.MagZero = None,
    pixscale: survey.Pixscale = None,
    psf: survey.Psf = None,
    noise: survey.Noise = None,
) -> None:
    """Make galaxies of a category, or one like each row of a table, and write a FITS catalogue.

    Exit codes: 0 done, 2 bad input (nothing written), 3 interrupted and 1 failed half-way (the
    galaxies finished by then are kept in a valid, shorter file).
    """
    from galgen.cli.progress import ProgressLine, human_bytes
    from galgen.request import Request, parse_mixture, parse_properties

    # What can be refused without the weights is refused before they are loaded.
    survey.check_asked(category, n, like, {"map": map, "drop": drop, "strict": strict})
    observing = survey.parse_observing(flux_unit, mag_zero, pixscale, psf, noise)
    asked = {"seed": seed, "population": population}
    asked["properties"] = parse_properties(property or [])
    Request(parse_mixture(category or "galaxy"), **asked)
    table = survey.open_table(like, map) if like is not None else None

    from galgen.catalog import write_catalog
    from galgen.generate import load_model
    from galgen.sampling import Sampling
    from galgen.signals import InterruptedRun, StopRequest

    given = {"sampler": sampler, "steps": steps, "micro_batch": batch, "dtype": dtype}
    chosen = {name: value for name, value in given.items() if value is not None}
    model = load_model(weights, device)
    sampling = Sampling.on(model.device, guidance=guidance, compile=compile, **chosen)
    asked |= {"sampling": sampling, "observing": observing}
    with survey.warnings_in_one_line():
        if table is None:
            run = model.generate(category, n, **asked)
        else:
            run = model.like(table, category=category, n=n, strict=strict, drop=drop or (), **asked)
    n = len(run)

    with StopRequest() as stop, ProgressLine(n, "galaxies", quiet=quiet) as line:

        def batches():
            for made in run:
                yield made
                done = int(made.galaxy_id_n[-1]) + 1
                if stop.requested and done < n:
                    raise InterruptedRun(f"stopped after {done} of {n} galaxies.")

        write_catalog(
            out,
            batches(),
            run.info,
            overwrite=overwrite,
            progress=lambda done, written: line.update(done, human_bytes(written)),
        )
    if not quiet:
        typer.echo(f"{out}: {n:,} galaxies, {human_bytes(out.stat().st_size)}")
