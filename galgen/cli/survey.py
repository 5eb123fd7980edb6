"""Options of ``galgen mass`` that take it to a survey: an input table, flux unit, PSF, noise."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

if TYPE_CHECKING:
    from galgen.inputs import InputTable
    from galgen.observe import Observing

_TABLE, _SKY = "One galaxy per row of a table", "Flux, pixels and sky"

Like = Annotated[
    Path | None,
    Option(
        help="FITS, CSV or ECSV: category, size, axis ratio, colours and fluxes of each galaxy.",
        rich_help_panel=_TABLE,
    ),
]
Map = Annotated[
    list[str] | None,
    Option(help="Its name of a column: ours=theirs, as mag_r=RMAG.", rich_help_panel=_TABLE),
]
Drop = Annotated[
    list[str] | None,
    Option(
        help="Columns not to carry over into the catalogue: names, patterns.",
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


def check_asked(
    category: str | None, n: int | None, like: Path | None, only_with_like: dict[str, object]
) -> None:
    """Refuse a run that says too little, or what only a table gives a meaning.

    Raises
    ------
    InvalidValueError
    """
    from galgen.errors import InvalidValueError

    if like is None:
        for name, value in (("category", category), ("n", n)):
            if value is None:
                raise InvalidValueError(f"--{name}", None, "one, unless a table gives it (--like)")
        for name, value in only_with_like.items():
            if value:
                raise InvalidValueError(f"--{name}", value, "with a table only (--like)")


def open_table(like: Path, renamed: list[str] | None) -> InputTable:
    """The table of ``--like``, its columns named by ``--map``."""
    from galgen.inputs import InputTable, parse_map

    return InputTable(like, parse_map(renamed or []))


def parse_observing(
    flux_unit: str | None,
    mag_zero: float | None,
    pixscale: float | None,
    psf: str | None,
    noise: str | None,
) -> Observing:
    """The settings of a flux unit and the sky.

    Raises
    ------
    InvalidValueError
        If a number is none, or out of range.
    """
    from galgen.observe import Observing

    return Observing(flux_unit, mag_zero, pixscale, _numbers("psf", psf), _numbers("noise", noise))


def _numbers(name: str, text: str | None) -> tuple[float, ...]:
    from galgen.errors import InvalidValueError

    try:
        return tuple(float(part) for part in text.split(",")) if text is not None else ()
    except ValueError:
        allowed = "a number, or one per band with commas"
        raise InvalidValueError(f"--{name}", text, allowed) from None


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Print galgen's warnings to stderr as its errors are."""
    from galgen.errors import GalgenWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", GalgenWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, GalgenWarning):
            typer.echo(f"galgen: warning: {warning.message}", err=True)
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
