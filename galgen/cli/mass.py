"""``galgen mass``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(mass)


def mass(
    category: Annotated[
        str, Option(help="A category, or a mixture such as 'spiral:0.6,smooth:0.4'.")
    ],
    n: Annotated[int, Option(help="How many galaxies.")],
    out: Annotated[Path, Option(help="FITS file to write.")],
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
) -> None:
    """Make galaxies of a category and write them to a FITS catalogue.

    Exit codes: 0 done, 2 bad input (nothing written), 3 interrupted and 1 failed half-way (the
    galaxies finished by then are kept in a valid, shorter file).
    """
    from galgen.cli.progress import ProgressLine, human_bytes
    from galgen.request import Request, parse_mixture, parse_properties

    # What can be refused without the weights is refused before they are loaded.
    request = Request(parse_mixture(category), parse_properties(property or []), seed, population)

    from galgen.catalog import write_catalog
    from galgen.generate import Run, load_model
    from galgen.sampling import Sampling
    from galgen.signals import InterruptedRun, StopRequest

    given = {"sampler": sampler, "steps": steps, "micro_batch": batch, "dtype": dtype}
    chosen = {name: value for name, value in given.items() if value is not None}
    model = load_model(weights, device)
    sampling = Sampling.on(model.device, guidance=guidance, compile=compile, **chosen)
    run = Run(model, request, n, sampling)

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
