"""The columns that are measured: their names, units and meanings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from galgen.columns import Column


def measured_columns(
    bands: Sequence[str], flux_unit: str = "", zero_point: float | None = None
) -> list[Column]:
    """List the columns that `galgen.measure.measure` returns, in the same order.

    Parameters
    ----------
    bands : sequence of str
        Band names, bluest first.
    flux_unit : str
        Unit of the stamps' pixels; empty when they are not calibrated.
    zero_point : float, optional
        AB magnitude of one flux unit, that of ``SURFACE_BRIGHTNESS`` too; 22.5 if it is not known.

    Returns
    -------
    list of Column
        All of them float32.
    """
    flux = [
        Column(f"FLUX_{b.upper()}", "E", flux_unit, f"{b} flux within 1.5 Petrosian radii")
        for b in bands
    ]
    colour = [
        Column(
            f"COLOR_{a.upper()}_{b.upper()}", "E", "mag", f"{a} - {b} colour in the same aperture"
        )
        for a, b in pairwise(bands)
    ]
    zero = "22.5" if zero_point in (None, 22.5) else "ZPT_AB"
    return [
        *flux,
        *colour,
        Column("HALF_LIGHT_RADIUS", "E", "pix", "circularised radius holding half of the flux"),
        Column("AXIS_RATIO", "E", "", "minor over major axis from second moments"),
        Column("POSITION_ANGLE", "E", "deg", "major axis, counter-clockwise from +x, in [0, 180)"),
        Column("X_CENTROID", "E", "pix", "centroid, 0 is the centre of the first pixel of a row"),
        Column("Y_CENTROID", "E", "pix", "centroid, 0 is the centre of the first row"),
        Column("CONCENTRATION", "E", "", "5 log10(r80/r20), Conselice 2003"),
        Column("ASYMMETRY", "E", "", "rotational asymmetry at 180 deg, background subtracted"),
        Column("SURFACE_BRIGHTNESS", "E", "mag", f"mean within r50, mag/pix^2, zero point {zero}"),
        Column("SNR", "E", "", "flux over sky noise within the aperture"),
    ]


def truth_columns(bands: Sequence[str], flux_unit: str = "") -> list[Column]:
    """List the columns with fluxes of galaxies before they were observed, or as asked for.

    Parameters
    ----------
    bands : sequence of str
        Band names, bluest first.
    flux_unit : str
        Unit of the stamps' pixels; empty when they are not calibrated.
    """
    what = "flux before PSF and noise, and as asked for where it was"
    return [Column(f"TRUE_FLUX_{b.upper()}", "E", flux_unit, f"{b} {what}") for b in bands]
