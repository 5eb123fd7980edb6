"""``galgen train``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from galgen.cli import complete
from galgen.cli.options import Quiet, given
from galgen.cli.suffixes import named


def train(
    data: Annotated[
        list[Path],
        Option(
            help="Image or cutout folder or zip, Galaxy10, GalaxiesML or flux HDF5, or FITS. "
            "Repeat to join several."
        ),
    ],
    out: Annotated[
        Path, Option("--out", "-o", help="Folder of the run.", callback=named("a folder"))
    ],
    teach: Annotated[
        list[Path] | None,
        Option(
            help="Data that teaches only, repeatable: its sizes, colours and numbers are not those "
            "of catalogues. Also by galaxy: a column 'teach' (1 or 0) of labels.csv."
        ),
    ] = None,
    relabel: Annotated[
        Path | None, Option(help="CSV of corrected labels: columns id and category.")
    ] = None,
    psf_fwhm: Annotated[
        str | None,
        Option(
            help="Take out the Gaussian PSF of the data, of this FWHM in arcsec: 1.3, or each "
            "band's. Needs --noise."
        ),
    ] = None,
    noise: Annotated[
        str | None,
        Option(
            help="Sigma of the data's noise per pixel, in its flux unit: 0.1, or each band's. It "
            "is taken out with the PSF."
        ),
    ] = None,
    preset: Annotated[
        str,
        Option(
            help="paper, fast, small or tiny.",
            autocompletion=complete.words("paper", "fast", "small", "tiny"),
        ),
    ] = "fast",
    fusion: Annotated[
        str | None,
        Option(
            help="Ablation: gated, conv, attention or plain.",
            show_default="gated",
            autocompletion=complete.words("gated", "conv", "attention", "plain"),
        ),
    ] = None,
    max_time: Annotated[
        str | None,
        Option(
            help="End, save and export after this long: 90s, 9m, 2h; the rate falls to 0 by then."
        ),
    ] = None,
    resume: Annotated[
        bool, Option("--resume", help="Continue the run in --out, if there is one.")
    ] = False,
    init: Annotated[
        Path | None, Option(help="Start from these weights: a folder that was exported.")
    ] = None,
    workers: Annotated[
        int | None,
        Option(help="Processes that share each batch.", show_default="one per core of a CPU"),
    ] = None,
    images: Annotated[
        int | None,
        Option(
            help="Length of the run in training images.",
            show_default="2,000,000; small 4,000,000, tiny 2,000",
        ),
    ] = None,
    batch: Annotated[
        int | None,
        Option(help="Images per step.", show_default="256; small 64, tiny 8"),
    ] = None,
    learning_rate: Annotated[
        float | None, Option(help="Peak learning rate.", show_default="of the preset")
    ] = None,
    size: Annotated[
        int | None, Option(help="Side of the stamps in pixels.", show_default="the data's")
    ] = None,
    categories: Annotated[
        str | None,
        Option(help="Your own: a tree in a YAML file, or 'folders' for the names in the data."),
    ] = None,
    seed: Annotated[int | None, Option(help="Seed of the run.", show_default="0")] = None,
    device: Annotated[
        str | None, Option(help="cpu, cuda, cuda:1 ...", show_default="a GPU if there is one")
    ] = None,
    compile: Annotated[bool, Option(help="Compile the network (on a GPU).")] = False,
    name: Annotated[str | None, Option(help="Name of the weights, for the model card.")] = None,
    credit: Annotated[str | None, Option(help="Credit of the data, for the model card.")] = None,
    quiet: Quiet = False,
) -> None:
    """Train a model on labelled galaxies; safe to stop and to kill, resumable.

    The galaxies are measured first; what is measured is kept, for other runs too. With --psf-fwhm
    they are what they were before the PSF, drawn anew from round to round; so is what is made.

    Exit codes: 0 done or out of time, 2 bad input, 3 interrupted (go on with --resume) or out of
    time before the galaxies were measured, 1 diverged.
    """
    import dataclasses
    from functools import partial

    from galgen.cli.progress import ProgressLine
    from galgen.cli.values import parse_duration, parse_numbers
    from galgen.training.presets import get_preset

    chosen = get_preset(preset, **given(fusion=fusion))
    changes = given(images=images, batch=batch, learning_rate=learning_rate, seed=seed)
    chosen = dataclasses.replace(chosen, train=dataclasses.replace(chosen.train, **changes))
    seconds = parse_duration(max_time) if max_time else None

    from galgen.training import Progress, Trained, train_intrinsic
    from galgen.training import train as train_at_once

    run_training: Callable[..., Trained] = train_at_once
    if psf_fwhm is not None or noise is not None:
        run_training = partial(
            train_intrinsic,
            psf_fwhm=parse_numbers("psf-fwhm", psf_fwhm),
            noise=parse_numbers("noise", noise),
        )
    with ProgressLine(chosen.train.images, "images", quiet=quiet) as line:

        def report(progress: Progress) -> None:
            line.update(progress.images, f"loss {progress.loss:.4f}", progress.images_per_second)

        def measuring(done: int, total: int) -> None:
            line.update(0, f"measuring {done:,} of {total:,} galaxies", 0.0)

        trained = run_training(
            data,
            chosen,
            out,
            teach=teach or (),
            relabel=relabel,
            max_seconds=seconds,
            resume=resume,
            size=size,
            categories=categories,
            device=device,
            compile=compile,
            workers=workers,
            init=init,
            name=name,
            report=report,
            notice=lambda text: None if quiet else typer.echo(text, err=True),
            measuring=measuring,
            **({"credit": credit} if credit else {}),
        )
    if not quiet:
        typer.echo(
            f"{trained.weights}: {trained.images:,} of {trained.total:,} images, "
            f"validation loss {trained.validation_loss:.4f}"
        )
    if trained.interrupted:
        typer.echo("interrupted; go on with the same command and --resume", err=True)
        raise typer.Exit(3)
