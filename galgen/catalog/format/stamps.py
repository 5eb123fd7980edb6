"""How stamps are stored: as float32, as int16 with a scale and zero per band, or not at all."""

from __future__ import annotations

from decimal import ROUND_CEILING, Context
from math import floor, isfinite
from typing import Any

import numpy as np

from galgen.errors import InvalidValueError
from galgen.runinfo import RunInfo

_INT16 = np.dtype(">i2")
# Type on disk of each form of `RunInfo.stamps`, and its number in a header.
PIXEL_TYPES: dict[str, np.dtype[Any] | None] = {
    "float32": np.dtype(">f4"),
    "int16": _INT16,
    "none": None,
}
BITPIX = {"float32": -32, "int16": 16}
LOWEST, HIGHEST = -(2**15), 2**15 - 1  # of the numbers stored; none stands for "no value"
_STEPS = HIGHEST - LOWEST - 1  # one is left for the zero, which is moved to a whole step
_DIGITS = 3


def check_name(form: str) -> None:
    """Raise InvalidValueError unless stamps can be stored in this form."""
    if form not in PIXEL_TYPES:
        raise InvalidValueError("stamps", form, ", ".join(PIXEL_TYPES))


def check_shape(form: str, height: int, width: int) -> None:
    """Raise InvalidValueError unless stamps are whole 4-byte words, whose sums can be added."""
    check_name(form)
    if form == "int16" and height * width % 2:
        allowed = "height x width even, for stamps as int16"
        raise InvalidValueError("stamp shape", (height, width), allowed, "Store them as float32.")


def check_form(info: RunInfo) -> None:
    """Raise InvalidValueError unless stamps can be stored as a run says."""
    check_shape(info.stamps, info.height, info.width)
    bands = len(info.bands) if info.stamps == "int16" else 0
    good = (isfinite(scale) and scale > 0 and isfinite(zero) for scale, zero in info.scaling)
    if len(info.scaling) != bands or not all(good):
        allowed = f"(scale above 0, zero) of each of {bands} bands, for stamps as {info.stamps}"
        raise InvalidValueError("scaling", info.scaling, allowed)


def scaling(low: float, high: float) -> tuple[float, float]:
    """Choose the scale and zero with which int16 spans `low` to `high`.

    The scale is rounded up to three decimal digits and the zero is a whole number of scales: so a
    header card holds them exactly, the last bits of the range do not matter, and flux 0 has a code.

    Parameters
    ----------
    low, high : float
        Range of the flux per pixel.

    Returns
    -------
    scale, zero : float
        Numbers in the same unit: flux is ``zero + scale * code``.
    """
    step = (high - low) / _STEPS
    if not step > 0:
        step = 1.0
    scale = Context(prec=_DIGITS, rounding=ROUND_CEILING).create_decimal_from_float(step)
    return float(scale), float((floor(low / float(scale)) - LOWEST) * scale)


def encode(flux: np.ndarray, scale: float, zero: float) -> np.ndarray:
    """Round flux to the nearest step, clipped to the range.

    Parameters
    ----------
    flux : ndarray of float
        Flux per pixel, of any shape.
    scale, zero : float
        What `scaling` returned, in the unit of the flux.

    Returns
    -------
    ndarray int16
        Codes of the same shape, big-endian.

    Raises
    ------
    InvalidValueError
        If a pixel is not finite: there is no code for it.
    """
    steps: np.ndarray = np.subtract(flux, zero, dtype=np.float64)
    steps /= scale
    if not np.isfinite(steps).all():
        raise InvalidValueError("stamps", "NaN or infinity", "finite pixels, for int16")
    np.clip(np.rint(steps, out=steps), LOWEST, HIGHEST, out=steps)
    return steps.astype(_INT16, order="C")


def decode(codes: np.ndarray, scale: float, zero: float) -> np.ndarray:
    """Return the flux of codes of any shape, float32, with the bits that CFITSIO gives."""
    flux: np.ndarray = codes * np.float64(scale) + zero
    return flux.astype(np.float32)


def at_ends(codes: np.ndarray) -> int:
    """Count the codes that are the lowest or the highest: what was beyond the range is there."""
    return int(np.count_nonzero((codes == LOWEST) | (codes == HIGHEST)))
