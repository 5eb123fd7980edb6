"""``galgen mass``: the main job."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from galgen.cli import complete, mass_options
from galgen.cli.options import (
    DRAWN,
    MANY,
    WHAT,
    WRITTEN,
    Batch,
    Device,
    Dtype,
    Job,
    NJobs,
    OutFits,
    Quiet,
    Sampler,
    Scheduler,
    Slurm,
    Steps,
    Weights,
    Workers,
    given,
)
from galgen.cli.route import Route, make_catalog
from galgen.errors import InvalidValueError


def mass(
    *,
    category: Annotated[
        str | None,
        Option(
            help="A category, or a mixture such as 'spiral:0.6,smooth:0.4'.",
            autocompletion=complete.categories,
            rich_help_panel=WHAT,
        ),
    ] = None,
    property: Annotated[
        list[str] | None,
        Option(
            help="Fix a property: name=value or name=low:high. Repeat for several.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    population: Annotated[
        bool,
        Option(
            help="Draw the other properties from the training population.", rich_help_panel=WHAT
        ),
    ] = True,
    like: mass_options.Like = None,
    table: mass_options.Table = None,
    map: mass_options.Map = None,
    keep: mass_options.Keep = None,
    drop: mass_options.Drop = None,
    carry_only: mass_options.CarryOnly = False,
    strict: mass_options.Strict = False,
    n: Annotated[
        int | None,
        Option(
            "--n",
            "-n",
            help="How many galaxies.",
            show_default="of a table, all rows",
            rich_help_panel=MANY,
        ),
    ] = None,
    seed: Annotated[
        int, Option(help="Galaxy i of a seed is always the same galaxy.", rich_help_panel=MANY)
    ] = 0,
    steps: Steps = None,
    sampler: Sampler = None,
    guidance: Annotated[
        float,
        Option(
            help="Classifier-free guidance; 1 is none, above 1 exaggerates.", rich_help_panel=DRAWN
        ),
    ] = 1.0,
    weights: Weights = None,
    batch: Batch = None,
    dtype: Dtype = None,
    compile: Annotated[
        bool,
        Option(
            "--compile",
            help="Compile the network first: minutes once, then faster.",
            rich_help_panel=DRAWN,
        ),
    ] = False,
    flux_unit: mass_options.FluxUnit = None,
    mag_zero: mass_options.MagZero = None,
    pixscale: mass_options.Pixscale = None,
    psf: mass_options.Psf = None,
    noise: mass_options.Noise = None,
    out: OutFits,
    stamps: Annotated[
        str | None,
        Option(
            help="Store stamps as float32, int16 or none.",
            show_default="float32",
            autocompletion=complete.words("float32", "int16", "none"),
            rich_help_panel=WRITTEN,
        ),
    ] = None,
    no_stamps: Annotated[
        bool,
        Option(
            "--no-stamps",
            help="Write the table only, as --stamps none.",
            rich_help_panel=WRITTEN,
        ),
    ] = False,
    max_file_size: Annotated[
        str | None,
        Option(
            help="Split into numbered files of at most this: 10GB, 500MB.",
            show_default="one file",
            rich_help_panel=WRITTEN,
        ),
    ] = None,
    date: Annotated[
        str | None,
        Option(
            help="DATE to write, ISO 8601.",
            show_default="none: bytes do not depend on the time",
            rich_help_panel=WRITTEN,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        Option(
            "--overwrite",
            help="Replace an existing file, finished or not.",
            rich_help_panel=WRITTEN,
        ),
    ] = False,
    resume: Annotated[
        bool,
        Option(
            "--resume",
            help="Go on where an interrupted run of this command stopped.",
            rich_help_panel=WRITTEN,
        ),
    ] = False,
    device: Device = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    slurm: Slurm = None,
    njobs: NJobs = None,
    job: Job = None,
    quiet: Quiet = False,
) -> None:
    """Make galaxies of a category, or one like each row of a table, and write a FITS catalogue.

    Exit codes: 0 done, 2 bad input (nothing written), 3 interrupted and 1 failed half-way: then
    what was made is kept, and 'galgen resume' goes on.
    """
    from galgen.cli.values import parse_bytes, utc_date
    from galgen.produce.recipe import Recipe

    if no_stamps and stamps not in (None, "none"):
        raise InvalidValueError("--stamps", stamps, "none, or nothing, with --no-stamps")
    sampling = given(sampler=sampler, steps=steps, micro_batch=batch, dtype=dtype)
    recipe = Recipe(
        category,
        n,
        seed,
        tuple(property or ()),
        population,
        weights=None if weights is None else str(weights),
        device=device,
        sampling=sampling | {"guidance": guidance, "compile": compile},
        observing=mass_options.observing(flux_unit, mag_zero, pixscale, psf, noise),
        like=None if like is None else str(like),
        columns=tuple(map or ()),
        keep=tuple(keep or ()),
        drop=tuple(drop or ()),
        table=table,
        carry_only=carry_only,
        strict=strict,
        date=utc_date(date),
        max_file_bytes=None if max_file_size is None else parse_bytes(max_file_size),
        stamps=stamps or ("none" if no_stamps else "float32"),
    )
    route = Route(workers, scheduler, slurm, njobs, job)
    make_catalog(recipe, out, route, overwrite=overwrite, resume=resume, quiet=quiet)
