"""What one flux unit means: magnitudes, zero points, and a model's unit against the one asked for.

AB magnitudes (Oke & Gunn 1983): m = -2.5 log10(f / 3631 Jy), so a nanomaggy, 3.631 microjansky, has
magnitude 22.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from galgen.errors import InvalidValueError

NANOMAGGY = 22.5  # AB magnitude of one
# AB magnitude of one unit, by its FITS name; to no more digits than a FITS card keeps.
ZERO_POINTS = {"nanomaggy": NANOMAGGY, "nJy": round(2.5 * math.log10(3631e9), 12)}
COUNTS = "ct"  # FITS standard 4.0, table 4
HSC_COUNT = 27.0  # AB magnitude of one of HSC's coadds (Aihara et al. 2019, section 4)
FLUX_UNITS = (*ZERO_POINTS, "counts")
UNCALIBRATED = "adu"

_SPELLINGS = dict.fromkeys(("nanomaggies", "nmgy", "nMgy"), NANOMAGGY)
_SPELLINGS |= {"maggy": 0.0, "maggies": 0.0}
_JANSKY = {"nJy": 1e-9, "uJy": 1e-6, "microJy": 1e-6, "mJy": 1e-3, "Jy": 1.0}


FloatOrArray = TypeVar("FloatOrArray", float, np.ndarray)


def flux_ratio(mag: FloatOrArray) -> FloatOrArray:
    """Return by what factor brighter something is that is `mag` magnitudes brighter.

    f1 / f2 = 10^(0.4 (m2 - m1)), Pogson 1856. With `mag` a zero point minus a magnitude, this is
    the flux in the unit of that zero point.
    """
    return 10 ** (0.4 * mag)


def magnitude(flux: np.ndarray, zero_point: float) -> np.ndarray:
    """Return the magnitudes of fluxes, m = zero_point - 2.5 log10(flux).

    Parameters
    ----------
    flux : ndarray
        Above 0, in some unit.
    zero_point : float
        Magnitude of one such unit.
    """
    mag: np.ndarray = zero_point - 2.5 * np.log10(flux)
    return mag


def known_zero_point(unit: str) -> float | None:
    """Return the AB magnitude of a flux unit as tables spell it, None if that is not known."""
    if unit in _JANSKY and unit not in ZERO_POINTS:
        return 2.5 * math.log10(3631 / _JANSKY[unit])
    return ZERO_POINTS.get(unit, _SPELLINGS.get(unit))


@dataclass(frozen=True)
class FluxScale:
    """The flux unit of a catalogue.

    Attributes
    ----------
    unit : str
        FITS unit.
    zero_point : float or None
        AB magnitude of one unit.
    factor : float
        Units per flux unit of the model.
    source : str or None
        Where the scale comes from if not from the weights: 'MAGZERO', what the user says that one
        unit of uncalibrated weights is; 'INPUT', fluxes of the input table.
    mag_zero : float or None
        What the user gave.
    """

    unit: str
    zero_point: float | None
    factor: float = 1.0
    source: str | None = None
    mag_zero: float | None = None


def flux_scale(
    native: str, flux_unit: str | None, mag_zero: float | None, fluxes: str | None = None
) -> FluxScale:
    """Find the flux unit of a catalogue, or say why it can have none.

    Parameters
    ----------
    native : str
        Flux unit of the weights.
    flux_unit : str or None
        One of `FLUX_UNITS`; by default that of the weights, or nanomaggies where only the input has
        calibrated fluxes.
    mag_zero : float or None
        AB magnitude of one count, or of one unit of weights that are not calibrated.
    fluxes : str or None
        What an input table gives: 'AB' fluxes or magnitudes, fluxes in the 'native' unit, or none.

    Returns
    -------
    FluxScale
        The unit, and what it is of the model's.

    Raises
    ------
    InvalidValueError
        If the unit is unknown, or nothing says how bright one of it is.
    """
    if flux_unit is not None and flux_unit not in FLUX_UNITS:
        raise InvalidValueError("flux unit", flux_unit, ", ".join(FLUX_UNITS))
    if mag_zero is not None and not -50 <= mag_zero <= 100:
        raise InvalidValueError("magnitude of the zero point", mag_zero, "-50 to 100")
    source, native_zero = "INPUT" if fluxes else None, ZERO_POINTS.get(native)
    if fluxes == "AB" or native_zero is not None:
        unit, zero = _calibrated(native, flux_unit, mag_zero, fluxes)
        factor = 1.0 if native_zero is None else flux_ratio(zero - native_zero)
        return FluxScale(unit, zero, factor, source, mag_zero)
    if mag_zero is None:
        if flux_unit is not None:
            hint = (
                f"Give it with `mag_zero` (AB magnitude of one {native}), or give fluxes or "
                "magnitudes with `like`."
            )
            allowed = "none, as the weights are not calibrated: nothing says how bright they are"
            raise InvalidValueError("flux unit", flux_unit, allowed, hint)
        return FluxScale(native, None, 1.0, source)
    unit = COUNTS if flux_unit == "counts" else flux_unit or native
    zero = ZERO_POINTS.get(unit, mag_zero)
    return FluxScale(unit, zero, flux_ratio(zero - mag_zero), source or "MAGZERO", mag_zero)


def _calibrated(
    native: str, flux_unit: str | None, mag_zero: float | None, fluxes: str | None
) -> tuple[str, float]:
    """Return unit and zero point where weights or input say how bright galaxies are."""
    if flux_unit == "counts":
        if mag_zero is None:
            hint = "Give the AB magnitude of one count with `mag_zero`."
            raise InvalidValueError("magnitude of the zero point", None, "a number", hint)
        return COUNTS, mag_zero
    if mag_zero is not None:
        whence = "the input gives the flux" if fluxes == "AB" else f"the weights are in {native}"
        allowed = f"with flux unit counts only, as {whence}"
        raise InvalidValueError("magnitude of the zero point", mag_zero, allowed)
    unit = flux_unit or (native if native in ZERO_POINTS else "nanomaggy")
    return unit, ZERO_POINTS[unit]
