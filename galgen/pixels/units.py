"""What one flux unit means: zero points, and the way from a model's unit to the one asked for.

AB magnitudes (Oke & Gunn 1983): m = -2.5 log10(f / 3631 Jy), so a nanomaggy, 3.631 microjansky, has
magnitude 22.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from galgen.errors import InvalidValueError

# AB magnitude of one unit, by its FITS name; to no more digits than a FITS card keeps.
ZERO_POINTS = {"nanomaggy": 22.5, "nJy": round(2.5 * math.log10(3631e9), 12)}
COUNTS = "ct"  # FITS standard 4.0, table 4
FLUX_UNITS = (*ZERO_POINTS, "counts")
UNCALIBRATED = "adu"

_SPELLINGS = {"nanomaggies": 22.5, "nmgy": 22.5, "nMgy": 22.5, "maggy": 0.0, "maggies": 0.0}
_JANSKY = {"nJy": 1e-9, "uJy": 1e-6, "microJy": 1e-6, "mJy": 1e-3, "Jy": 1.0}


def known_zero_point(unit: str) -> float | None:
    """AB magnitude of a flux unit as tables spell it, None if that is not known."""
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
    """The flux unit of a catalogue, or why it can have none.

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

    Raises
    ------
    InvalidValueError
        If the unit is unknown, or nothing says how bright one of it is.
    """
    if flux_unit is not None and flux_unit not in FLUX_UNITS:
        raise InvalidValueError("flux unit", flux_unit, ", ".join(FLUX_UNITS))
    if mag_zero is not None and not -50 <= mag_zero <= 100:
        raise InvalidValueError("magnitude of the zero point", mag_zero, "-50 to 100")
    counts = flux_unit == "counts"
    native_zero = ZERO_POINTS.get(native)
    if fluxes == "AB" or native_zero is not None:
        whence = "the input gives the flux" if fluxes == "AB" else f"the weights are in {native}"
        if counts and mag_zero is None:
            hint = "Give the AB magnitude of one count with --mag-zero."
            raise InvalidValueError("magnitude of the zero point", None, "a number", hint)
        if mag_zero is not None and not counts:
            allowed = f"with flux unit counts only, as {whence}"
            raise InvalidValueError("magnitude of the zero point", mag_zero, allowed)
        default = native if native_zero is not None else "nanomaggy"
        unit = COUNTS if counts else flux_unit or default
        zero = mag_zero if counts else ZERO_POINTS[unit]
        factor = 1.0 if native_zero is None else _ratio(zero, native_zero)
        return FluxScale(unit, zero, factor, "INPUT" if fluxes else None, mag_zero)
    if mag_zero is None:
        if flux_unit is not None:
            hint = (
                f"Give it with --mag-zero (AB magnitude of one {native}), or give fluxes or "
                "magnitudes with --like."
            )
            allowed = "none, as the weights are not calibrated: nothing says how bright they are"
            raise InvalidValueError("flux unit", flux_unit, allowed, hint)
        return FluxScale(native, None, 1.0, "INPUT" if fluxes else None)
    unit = COUNTS if counts else flux_unit or native
    zero = ZERO_POINTS.get(unit, mag_zero)
    source = "INPUT" if fluxes else "MAGZERO"
    return FluxScale(unit, zero, _ratio(zero, mag_zero), source, mag_zero)


def _ratio(zero: float, native_zero: float) -> float:
    """Units of zero point `zero` in one unit of zero point `native_zero`."""
    return 10 ** (0.4 * (zero - native_zero))
