"""``galgen export``: catalogues in the formats of other tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from typer import Argument, Option

from galgen.cli import complete
from galgen.cli.options import Catalog, Overwrite, Quiet
from galgen.cli.suffixes import FITS_NAMES, named
from galgen.errors import InvalidValueError

# Options of several exports.
Category = Annotated[
    str | None,
    Option(help="Only galaxies of this category.", autocompletion=complete.categories),
]
FirstOfThem = Annotated[
    int | None, Option("--n", "-n", help="Only the first n of them.", show_default="all")
]
RightAscension = Annotated[
    str | None, Option(help="lower:upper in degrees, to draw positions; may cross 360.")
]
Declination = Annotated[str | None, Option(help="lower:upper in degrees.")]
PixelScale = Annotated[
    float | None, Option(help="Arcsec per pixel, where the catalogue has none of its own.")
]

Result = TypeVar("Result")

app = typer.Typer(help="Write the galaxies in another format.", no_args_is_help=True)


@app.command("imagefolder")
def imagefolder(
    catalog: Catalog,
    out: Annotated[
        Path,
        Argument(
            help="Folder, or .zip, to write.",
            metavar="OUT",
            callback=named("a folder or zip file", ".zip"),
        ),
    ],
    size: Annotated[
        int | None,
        Option(help="Side of the images: stamps are resampled.", show_default="that of the stamps"),
    ] = None,
    split: Annotated[
        str | None,
        Option(
            help="Fractions for folders train, validation and test (or train and test), of each "
            "category: 0.8:0.1:0.1."
        ),
    ] = None,
    n: Annotated[
        int | None,
        Option("--n", "-n", help="Only the first n galaxies.", show_default="all"),
    ] = None,
    form: Annotated[
        str,
        Option(
            "--format",
            help="png, jpeg (changes pixels a little) or webp.",
            autocompletion=complete.words("png", "jpeg", "webp"),
        ),
    ] = "png",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Write 8-bit images by category with labels.csv, as classifiers are trained on."""
    from galgen.cli.values import parse_fractions
    from galgen.export.imagefolder import export_imagefolder

    fractions = parse_fractions(split) if split is not None else ()
    count = _with_progress(
        catalog,
        quiet,
        lambda update: export_imagefolder(
            catalog, out, overwrite, update, size=size, n=n, split=fractions, form=form
        ),
        n,
    )
    if not quiet:
        typer.echo(f"{out}: {count:,} images")


@app.command("hdf5")
def hdf5(
    catalog: Catalog,
    out: Annotated[
        Path,
        Argument(
            help="HDF5 file to write.",
            metavar="OUT",
            callback=named("an HDF5 file", ".h5", ".hdf5", ".hdf"),
        ),
    ],
    compress: Annotated[bool, Option("--compress", help="Shuffle and gzip.")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Write stamps and table as HDF5; 'galgen train' reads it."""
    from galgen.export.hdf5 import export_hdf5

    count = _with_progress(
        catalog, quiet, lambda update: export_hdf5(catalog, out, overwrite, compress, update)
    )
    if not quiet:
        typer.echo(f"{out}: {count:,} galaxies")


@app.command("meds")
def meds(
    catalog: Catalog,
    out: Annotated[
        Path,
        Argument(
            help="cat.fits is written as cat-g.fits, cat-r.fits ...",
            metavar="OUT",
            callback=named("a FITS file", *FITS_NAMES),
        ),
    ],
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Write MEDS files, one per band: images, weights, segments and where each starts."""
    from galgen.export.meds import export_meds

    paths = _with_progress(
        catalog, quiet, lambda update: export_meds(catalog, out, overwrite, update)
    )
    if not quiet:
        typer.echo("\n".join(map(str, paths)))


@app.command("realgalaxy")
def realgalaxy(
    catalog: Catalog,
    out: Annotated[
        Path,
        Argument(
            help="FITS file to write.", metavar="OUT", callback=named("a FITS file", *FITS_NAMES)
        ),
    ],
    band: Annotated[
        str | None, Option(help="Band of the images.", show_default="the middle one")
    ] = None,
    category: Category = None,
    n: FirstOfThem = None,
    pixel_scale: PixelScale = None,
    psf_fwhm: Annotated[
        float | None, Option(help="PSF of the training images (arcsec), for GalSim to deconvolve.")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Write a subset as a RealGalaxyCatalog of GalSim: one image extension per galaxy."""
    from galgen.export.realgalaxy import export_realgalaxy

    count = _with_progress(
        catalog,
        quiet,
        lambda update: export_realgalaxy(
            catalog,
            out,
            band=band,
            category=category,
            n=n,
            pixel_scale=pixel_scale,
            psf_fwhm=psf_fwhm,
            overwrite=overwrite,
            progress=update,
        ),
    )
    if not quiet:
        typer.echo(f"{out}: {count:,} galaxies")


@app.command("imsim")
def imsim(
    catalog: Catalog,
    out: Annotated[
        Path, Argument(help="Folder to write.", metavar="OUT", callback=named("a folder"))
    ],
    category: Category = None,
    n: FirstOfThem = None,
    ra: RightAscension = None,
    dec: Declination = None,
    pixel_scale: PixelScale = None,
    mag_zero: Annotated[
        float | None,
        Option(help="AB magnitude of one flux unit, where the catalogue has none of its own."),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Write objects of imSim's instance catalogues: a list per band, an image per galaxy and band.

    Positions, shear and convergence are the columns RA, DEC, G1, G2 and KAPPA of the catalogue.
    """
    from galgen.export.imsim import export_imsim

    ra_range, dec_range = _range("ra", ra), _range("dec", dec)
    count = _with_progress(
        catalog,
        quiet,
        lambda update: export_imsim(
            catalog,
            out,
            category=category,
            n=n,
            ra=ra_range,
            dec=dec_range,
            pixel_scale=pixel_scale,
            mag_zero=mag_zero,
            overwrite=overwrite,
            progress=update,
        ),
        n,
    )
    if not quiet:
        typer.echo(f"{out}: {count:,} galaxies")


@app.command("hats")
def hats(
    catalog: Catalog,
    out: Annotated[
        Path, Argument(help="Folder to write.", metavar="OUT", callback=named("a folder"))
    ],
    ra: RightAscension = None,
    dec: Declination = None,
    rows: Annotated[int, Option(help="Most rows of a partition.")] = 1_000_000,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Write the table, without stamps, as HEALPix-partitioned parquet, which LSDB reads.

    Positions are the columns RA and DEC of the catalogue; where it has none, --ra and --dec draw
    them at random, uniform on the sky.
    """
    from galgen.export.hats import export_hats

    ra_range, dec_range = _range("ra", ra), _range("dec", dec)
    count = _with_progress(
        catalog,
        quiet,
        lambda update: export_hats(catalog, out, ra_range, dec_range, rows, overwrite, update),
    )
    if not quiet:
        typer.echo(f"{out}: {count:,} galaxies")


def _range(name: str, text: str | None) -> tuple[float, float] | None:
    """Bounds of 'lower:upper'."""
    if text is None:
        return None
    try:
        low, high = map(float, text.split(":"))
    except ValueError:
        raise InvalidValueError(name, text, "lower:upper in degrees, such as 150:152") from None
    return low, high


def _with_progress(
    catalog: Path,
    quiet: bool,
    export: Callable[[Callable[[int], None]], Result],
    n: int | None = None,
) -> Result:
    """Run an export of `n` galaxies, or all, with a progress bar; return what it does."""
    from galgen.catalog import CatalogFile
    from galgen.cli.progress import ProgressLine

    with CatalogFile(catalog) as opened:
        total = min(n or len(opened), len(opened))
    with ProgressLine(total, "galaxies", quiet=quiet) as line:
        return export(line.update)
