"""``galgen preview``, ``export``, ``evaluate`` and ``verify``: what is done with a catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

Catalog = Annotated[Path, Argument(help="Catalogue written by 'galgen mass'.", metavar="CATALOG")]
Overwrite = Annotated[bool, Option("--overwrite", help="Replace what is there.")]

export_app = typer.Typer(help="Write the galaxies in another format.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(preview)
    app.command()(evaluate)
    app.command()(verify)
    app.add_typer(export_app, name="export")


def preview(
    catalog: Catalog,
    out: Annotated[Path, Option(help="PNG to write.")],
    per_category: Annotated[int, Option(help="Stamps per category.")] = 8,
    scale: Annotated[int, Option(help="Enlargement.")] = 2,
    overwrite: Overwrite = False,
) -> None:
    """Draw a labelled grid of a catalogue's galaxies by category."""
    from galgen.sheet import preview as draw

    typer.echo(draw(catalog, out, per_category, scale, overwrite))


@export_app.command("imagefolder")
def export_imagefolder(
    catalog: Catalog,
    out: Annotated[Path, Argument(help="Folder, or .zip, to write.", metavar="OUT")],
    overwrite: Overwrite = False,
    quiet: Annotated[bool, Option("--quiet", help="No progress, no summary.")] = False,
) -> None:
    """Write 8-bit PNGs by category with labels.csv, as classifiers are trained on."""
    from galgen.catalog import CatalogFile
    from galgen.cli.progress import ProgressLine
    from galgen.export import export_imagefolder as export

    with CatalogFile(catalog) as opened:
        total = len(opened)
    with ProgressLine(total, "galaxies", quiet=quiet) as line:
        count = export(catalog, out, overwrite, line.update)
    if not quiet:
        typer.echo(f"{out}: {count:,} images")


@export_app.command("realgalaxy")
def export_realgalaxy(
    catalog: Catalog,
    out: Annotated[Path, Argument(help="FITS file to write.", metavar="OUT")],
    band: Annotated[str | None, Option(help="Band, if not the middle one.")] = None,
    category: Annotated[str | None, Option(help="Only galaxies of this category.")] = None,
    n: Annotated[int | None, Option(help="Only the first n of them.")] = None,
    pixel_scale: Annotated[
        float | None, Option(help="Arcsec per pixel, where the catalogue has none of its own.")
    ] = None,
    psf_fwhm: Annotated[
        float | None, Option(help="PSF of the training images (arcsec), for GalSim to deconvolve.")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Annotated[bool, Option("--quiet", help="No progress, no summary.")] = False,
) -> None:
    """Write a subset as a RealGalaxyCatalog of GalSim: one image extension per galaxy."""
    from galgen.catalog import CatalogFile
    from galgen.cli.progress import ProgressLine
    from galgen.realgalaxy import export_realgalaxy as export

    with CatalogFile(catalog) as opened:
        total = len(opened) if n is None else min(n, len(opened))
    with ProgressLine(total, "galaxies", quiet=quiet) as line:
        count = export(
            catalog,
            out,
            band=band,
            category=category,
            n=n,
            pixel_scale=pixel_scale,
            psf_fwhm=psf_fwhm,
            overwrite=overwrite,
            progress=line.update,
        )
    if not quiet:
        typer.echo(f"{out}: {count:,} galaxies")


def evaluate(
    catalog: Catalog,
    reference: Annotated[
        list[Path], Option(help="Real galaxies: anything 'galgen train' reads. Repeat to join.")
    ],
    out: Annotated[Path | None, Option(help="JSON to write.")] = None,
    seed: Annotated[int, Option(help="Seed of the random halves.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Compare a catalogue's colours, sizes and shapes with real galaxies.

    Each number is the Wasserstein-1 distance to the real galaxies divided by the distance between
    two halves of the real galaxies: 1 cannot be told apart.
    """
    import json

    from galgen.evaluation import evaluate as compare
    from galgen.output import check_output, write_atomically

    if out is not None:
        check_output(out, overwrite)
    found = compare(catalog, reference, seed=seed)
    typer.echo(found.table())
    if out is not None:
        text = json.dumps(found.to_json(), indent=1) + "\n"
        write_atomically(out, lambda aside: aside.write_text(text))


def verify(catalog: Catalog) -> None:
    """Check a catalogue: checksums, counts, categories, NaNs. Exit code 4 if anything is wrong."""
    from galgen.catalog import verify as check

    report = check(catalog)
    typer.echo(report)
    if not report.ok:
        raise typer.Exit(4)
