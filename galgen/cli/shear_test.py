"""``galgen shear-test``: how well a known shear is measured of galaxies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from galgen.categories.taxonomy import ROOT
from galgen.cli import complete
from galgen.cli.options import Device, Overwrite, Quiet, Sampler, Steps, Weights
from galgen.cli.suffixes import named
from galgen.cli.values import parse_numbers
from galgen.errors import InvalidValueError


def shear_test(
    catalog: Annotated[
        Path | None,
        Argument(
            help="Catalogue written by 'galgen mass'.",
            metavar="CATALOG",
            show_default="galaxies are made",
        ),
    ] = None,
    reference: Annotated[
        list[Path] | None,
        Option(help="Real galaxies, too: anything 'galgen train' reads. Repeat to join."),
    ] = None,
    held_out: Annotated[
        bool, Option("--held-out", help="Of these only the ones that 'galgen train' holds out.")
    ] = False,
    category: Annotated[
        str | None,
        Option(
            help="A category or a mixture, of all of them.",
            autocompletion=complete.categories,
        ),
    ] = None,
    n: Annotated[int, Option("--n", "-n", help="How many of either.")] = 500,
    band: Annotated[str | None, Option(help="Which band.", show_default="the middle one")] = None,
    psf_fwhm: Annotated[str, Option(help="FWHM of Moffat PSFs, arcsec.")] = "0.6,0.9",
    snr: Annotated[
        str,
        Option(help="Noise: S/N of a round disc of their flux and size, inf for none."),
    ] = "inf,100,30",
    half_light_radius: Annotated[float, Option(help="Of all galaxies, arcsec.")] = 0.8,
    pixscale: Annotated[float, Option(help="Arcsec per pixel.")] = 0.2,
    shear: Annotated[float, Option(help="The shear; its opposite is measured, too.")] = 0.01,
    psf_shear: Annotated[float, Option(help="g1 of the PSFs.")] = 0.02,
    angles: Annotated[int, Option(help="Of the ring: an even number.")] = 2,
    out: Annotated[
        Path | None,
        Option("--out", "-o", help="JSON to write.", callback=named("a JSON file", ".json")),
    ] = None,
    plot: Annotated[
        Path | None, Option(help="PNG to write.", callback=named("a PNG file", ".png"))
    ] = None,
    seed: Annotated[int, Option(help="Of the noise, and of galaxies that are made.")] = 0,
    steps: Steps = None,
    sampler: Sampler = None,
    weights: Weights = None,
    device: Device = None,
    workers: Annotated[int, Option(help="Processes that measure.")] = 1,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Measure a known shear of galaxies: generated, real, and Sersic profiles in their place.

    Says multiplicative bias m and additive bias c of each component, measured by re-Gaussianization
    and by metacalibration. Needs GalSim.
    """
    from galgen.cli.progress import ProgressLine
    from galgen.galsim import GalgenCatalog, GalgenModel
    from galgen.shear import Design, shear_test
    from galgen.shear.plot import save_plot
    from galgen.system.files import check_output, written_output

    inputs = [path for path in (catalog, *(reference or ())) if path is not None]
    for path in (out, plot):
        if path is not None:
            check_output(path, overwrite, inputs)
    if held_out and not reference:
        raise InvalidValueError("held-out", True, "with --reference only")
    making = sampler, steps, weights, device
    if catalog is not None and any(value is not None for value in making):
        allowed = "a catalogue where no option of how to make galaxies is given beside it"
        raise InvalidValueError("catalog", str(catalog), allowed)
    design = Design(
        psf_fwhm=parse_numbers("psf-fwhm", psf_fwhm),
        snr=parse_numbers("snr", snr),
        half_light_radius=half_light_radius,
        pixel_scale=pixscale,
        shear=shear,
        psf_shear=psf_shear,
        angles=angles,
    )
    if catalog is not None:
        galaxies: GalgenCatalog | GalgenModel = GalgenCatalog(catalog)
    else:
        galaxies = GalgenModel(
            n,
            category or ROOT,
            seed,
            weights=weights,
            device=device,
            sampler=sampler,
            steps=steps,
        )
    total = min(n, galaxies.nobjects) * (2 if reference else 1)
    with ProgressLine(total, "galaxies", quiet=quiet) as line:
        receipt = shear_test(
            galaxies,
            reference,
            design,
            n=n,
            category=category,
            band=band,
            unseen=held_out,
            seed=seed,
            workers=workers,
            progress=lambda done, total: line.update(done, total=total),
        )
    if not quiet:
        typer.echo(receipt.table())
    if out is not None:
        with written_output(out, overwrite) as aside:
            aside.write_text(json.dumps(receipt.to_json(), indent=1) + "\n")
    if plot is not None:
        save_plot(receipt, plot, overwrite)
