"""Options of ``galgen mass`` that take it to a survey: an input table, flux unit, PSF and noise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from galgen.cli.values import parse_numbers

_TABLE, _SKY = "One galaxy per row of a table", "Flux, pixels and sky"

Like = Annotated[
    Path | None,
    Option(
        help="FITS, VOTable, Parquet, ECSV or CSV: category, size, axis ratio, colours, fluxes, "
        "redshift of each galaxy.",
        rich_help_panel=_TABLE,
    ),
]
Map = Annotated[
    list[str] | None,
    Option(help="Its name of a column: ours=theirs, as mag_r=RMAG.", rich_help_panel=_TABLE),
]
Table = Annotated[
    str | None,
    Option(
        help="Which table of a file that has several: its name, or its number from 1.",
        rich_help_panel=_TABLE,
    ),
]
Keep = Annotated[
    list[str] | None,
    Option(
        help="Columns to carry over into the catalogue, else all: names, patterns.",
        rich_help_panel=_TABLE,
    ),
]
Drop = Annotated[
    list[str] | None,
    Option(
        help="Columns not to carry over into the catalogue: names, patterns.",
        rich_help_panel=_TABLE,
    ),
]
CarryOnly = Annotated[
    bool,
    Option(
        "--carry-only",
        help="Take nothing from the table, only carry its columns over; needs --category.",
        rich_help_panel=_TABLE,
    ),
]
Strict = Annotated[
    bool,
    Option(
        "--strict",
        help="Refuse values that the model does not know; else its nearest are taken.",
        rich_help_panel=_TABLE,
    ),
]
FluxUnit = Annotated[str | None, Option(help="nanomaggy, nJy or counts.", rich_help_panel=_SKY)]
MagZero = Annotated[
    float | None,
    Option(
        help="AB magnitude of one count, or of one unit of weights that are not calibrated.",
        rich_help_panel=_SKY,
    ),
]
Pixscale = Annotated[
    float | None, Option(help="Arcsec per pixel; nothing is resampled.", rich_help_panel=_SKY)
]
Psf = Annotated[
    str | None,
    Option(help="FWHM of a Gaussian, arcsec: 1.2, or each band's.", rich_help_panel=_SKY),
]
Noise = Annotated[
    str | None,
    Option(help="Sigma per pixel, in the flux unit: 0.1, or each band's.", rich_help_panel=_SKY),
]


def observing(
    flux_unit: str | None,
    mag_zero: float | None,
    pixscale: float | None,
    psf: str | None,
    noise: str | None,
) -> dict[str, object]:
    """Gather the options of flux and sky under the names of `galgen.generate.observe.Observing`.

    Raises
    ------
    InvalidValueError
        If a PSF or noise is not made of numbers.
    """
    return {
        "flux_unit": flux_unit,
        "mag_zero": mag_zero,
        "pixel_scale": pixscale,
        "psf": parse_numbers("psf", psf),
        "noise": parse_numbers("noise", noise),
    }
