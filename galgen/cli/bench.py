"""``galgen bench``: how fast this machine makes galaxies."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from galgen.cli import complete
from galgen.cli.options import Batch, Device, Dtype, Sampler, Steps, Weights, given

if TYPE_CHECKING:
    from galgen.generate import Run
    from galgen.produce.pace import Pace


def bench(
    category: Annotated[
        str, Option(help="A category, or a mixture.", autocompletion=complete.categories)
    ] = "galaxy",
    steps: Steps = None,
    sampler: Sampler = None,
    weights: Weights = None,
    batch: Batch = None,
    dtype: Dtype = None,
    compile: Annotated[bool, Option("--compile", help="Compile the network first.")] = False,
    stamps: Annotated[
        str,
        Option(
            help="Store stamps as float32 or none.",
            autocompletion=complete.words("float32", "none"),
        ),
    ] = "float32",
    device: Device = None,
    folder: Annotated[Path, Option(help="Where to write: its disk is timed, too.")] = Path(),
    seconds: Annotated[float, Option(help="About how long to time.", min=0.1, max=86400)] = 20.0,
    as_json: Annotated[bool, Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Time 'galgen mass' on this machine: galaxies a second, a million, and what bounds it.

    Makes and writes galaxies for a while, with the options of 'galgen mass', and removes them.
    Whole micro-batches are timed: on a CPU that takes a minute or so.
    """
    from galgen.errors import InvalidValueError
    from galgen.produce.pace import MILLION, measure_pace
    from galgen.produce.recipe import Recipe

    if stamps not in ("float32", "none"):
        raise InvalidValueError("stamps", stamps, "float32 or none")
    sampling = given(sampler=sampler, steps=steps, micro_batch=batch, dtype=dtype)
    recipe = Recipe(
        category,
        MILLION,
        weights=None if weights is None else str(weights),
        device=device,
        sampling=sampling | {"compile": compile},
        stamps=stamps,
    )
    run = recipe.run()
    pace = measure_pace(run, folder, seconds)
    typer.echo(json.dumps(_facts(run, pace), indent=1) if as_json else _text(run, pace))


def _facts(run: Run, pace: Pace) -> dict[str, object]:
    """Collect what there is to say, as JSON has it."""
    info = run.info
    how = ("device", "kernels", "sampler", "steps", "micro_batch", "dtype", "stamps", "model")
    facts = {name: getattr(info, name) for name in how}
    derived = {"million_seconds": pace.million_seconds, "bound_by": pace.bound_by}
    return facts | {"at_once": run.lanes} | asdict(pace) | derived


def _text(run: Run, pace: Pace) -> str:
    """Put it as a page for people."""
    from galgen.cli.progress import duration_text

    info, million = run.info, duration_text(pace.million_seconds)
    side_by_side = f", {run.lanes} side by side" if run.lanes > 1 else ""
    lines = [
        f"{info.model} on {info.device}, {info.kernels} kernels, {info.dtype}",
        f"{info.sampler}, {info.steps} steps, micro-batches of {info.micro_batch}{side_by_side}",
        "",
        f"galaxies        {pace.galaxies_per_second:,.4g} a second, timed over {pace.galaxies:,}",
        f"a million       {million}, {pace.million_bytes / 1e9:,.1f} GB",
        f"first ones      {pace.start_seconds:,.1f} s after the weights were read",
        "",
        "each part alone, galaxies a second:",
        *(f"  {name:14}{rate:,.4g}" for name, rate in pace.parts.items()),
        f"  ({pace.written_bytes_per_second / 1e6:,.0f} MB/s are written)",
        f"bound by        {pace.bound_by}",
    ]
    return "\n".join(lines)
