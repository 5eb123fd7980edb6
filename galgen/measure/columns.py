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
        AB magnitude of one flux unit, that of ``SURFACE_BRIGHTNESS`` too; an instrumental
        magnitude, of which only differences mean something, where it is not known.

    Returns
    -------
    list of Column
        All of them float32.
    """
    flux = [
        column(f"FLUX_{b.upper()}", _flux_ucd(b), flux_unit, f"{b} flux within 1.5 Petrosian radii")
        for b in bands
    ]
    colour = [
        column(
            f"COLOR_{a.upper()}_{b.upper()}",
            "phot.color",
            "mag",
            f"{a} - {b} colour in the same aperture",
        )
        for a, b in pairwise(bands)
    ]
    brightness = "mean within r50, instrumental: 22.5 - 2.5 lg(flux/pix^2)"
    if zero_point is not None:
        zero = "22.5" if zero_point == 22.5 else "ZPT_AB"
        brightness = f"mean within r50, mag/pix^2, zero point {zero}"
    along_x = "centroid, 0 is the centre of the first pixel of a row"
    angle = "major axis, counter-clockwise from +x, in [0, 180)"
    shape = "src.morph.param"
    return [
        *flux,
        *colour,
        column(
            "HALF_LIGHT_RADIUS",
            "phys.angSize",
            "pix",
            "circularised radius holding half of the flux",
        ),
        column(
            "AXIS_RATIO",
            "phys.angSize;arith.ratio",
            "",
            "minor over major axis from second moments",
        ),
        column("POSITION_ANGLE", "pos.posAng", "deg", angle),
        column("X_CENTROID", "pos.cartesian.x;instr.det", "pix", along_x),
        column(
            "Y_CENTROID",
            "pos.cartesian.y;instr.det",
            "pix",
            "centroid, 0 is the centre of the first row",
        ),
        column("CONCENTRATION", shape, "", "5 log10(r80/r20), Conselice 2003"),
        column("ASYMMETRY", shape, "", "rotational asymmetry at 180 deg, background subtracted"),
        column("SURFACE_BRIGHTNESS", "phot.mag.sb", "mag", brightness),
        column("SNR", "stat.snr", "", "flux over sky noise of the stamp within the aperture"),
    ]


def column(name: str, ucd: str, unit: str, description: str, form: str = "E") -> Column:
    """Make a column with a UCD1+ (IVOA recommendation "UCD1+ controlled vocabulary")."""
    return Column(name, form, unit, description, (("TUCD", ucd),))


def _flux_ucd(band: str) -> str:
    """UCD of a flux, with the part of the spectrum where the band has a name that says it."""
    parts = {"u": "U", "g": "B", "r": "R", "i": "I", "z": "I"}
    return f"phot.flux;em.opt.{parts[band]}" if band in parts else "phot.flux"


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
    return [column(f"TRUE_FLUX_{b.upper()}", _flux_ucd(b), flux_unit, f"{b} {what}") for b in bands]
