"""Flux units: what they mean, and when they may be written."""

from __future__ import annotations

import math

import pytest
from astropy import units

from galgen.errors import InvalidValueError
from galgen.pixels.units import FluxScale, flux_scale, known_zero_point


@pytest.mark.parametrize("unit", ["nanomaggy", "nJy", "uJy", "mJy", "Jy", "maggy"])
def test_zero_points_are_those_of_astropy(unit: str):
    in_jansky = {"nanomaggy": 3.631e-6, "maggy": 3631.0}.get(unit) or units.Unit(unit).to(units.Jy)
    magnitude = (in_jansky * units.Jy).to(units.ABmag).value
    assert known_zero_point(unit) == pytest.approx(magnitude, abs=2e-4)  # AB is 3630.78 Jy there


def test_unknown_units_have_none():
    assert [known_zero_point(unit) for unit in ("adu", "ct", "", "W")] == [None] * 4


NJY = round(2.5 * math.log10(3631e9), 12)


@pytest.mark.parametrize(
    ("native", "unit", "zero", "fluxes", "expected"),
    [
        ("adu", None, None, None, FluxScale("adu", None)),
        ("adu", None, 25.0, None, FluxScale("adu", 25.0, 1.0, "MAGZERO")),
        ("adu", "counts", 25.0, None, FluxScale("ct", 25.0, 1.0, "MAGZERO")),
        ("adu", "nanomaggy", 25.0, None, FluxScale("nanomaggy", 22.5, 0.1, "MAGZERO")),
        ("adu", "nJy", 22.5, None, FluxScale("nJy", NJY, 3631.0, "MAGZERO")),
        ("adu", None, None, "AB", FluxScale("nanomaggy", 22.5, 1.0, "INPUT")),
        ("adu", "nJy", None, "AB", FluxScale("nJy", NJY, 1.0, "INPUT")),
        ("adu", "counts", 30.0, "AB", FluxScale("ct", 30.0, 1.0, "INPUT")),
        ("adu", None, None, "native", FluxScale("adu", None, 1.0, "INPUT")),
        ("nanomaggy", None, None, None, FluxScale("nanomaggy", 22.5)),
        ("nanomaggy", "nJy", None, None, FluxScale("nJy", NJY, 3631.0)),
        ("nJy", "nanomaggy", None, None, FluxScale("nanomaggy", 22.5, 1 / 3631)),
        ("nanomaggy", "counts", 25.0, None, FluxScale("ct", 25.0, 10.0)),
        ("nanomaggy", None, None, "AB", FluxScale("nanomaggy", 22.5, 1.0, "INPUT")),
    ],
)
def test_scales(native, unit, zero, fluxes, expected: FluxScale):
    got = flux_scale(native, unit, zero, fluxes)
    assert (got.unit, got.source, got.mag_zero) == (expected.unit, expected.source, zero)
    assert got.zero_point == expected.zero_point
    assert got.factor == pytest.approx(expected.factor, rel=1e-12)


@pytest.mark.parametrize(
    ("native", "unit", "zero", "fluxes", "match"),
    [
        ("adu", "Jy", None, None, "flux unit is 'Jy'; allowed: nanomaggy, nJy, counts"),
        ("adu", "nJy", None, None, "not calibrated.*`mag_zero` .AB magnitude of one adu.*`like`"),
        ("adu", "counts", None, None, "not calibrated"),
        ("adu", "nJy", None, "native", "not calibrated"),
        ("adu", "counts", None, "AB", "AB magnitude of one count with `mag_zero`"),
        ("adu", "nanomaggy", 25.0, "AB", "counts only, as the input gives the flux"),
        ("nanomaggy", "counts", None, None, "AB magnitude of one count"),
        ("nanomaggy", None, 25.0, None, "counts only, as the weights are in nanomaggy"),
        ("adu", None, math.nan, None, "-50 to 100"),
    ],
)
def test_false_units_are_refused(native, unit, zero, fluxes, match: str):
    with pytest.raises(InvalidValueError, match=match):
        flux_scale(native, unit, zero, fluxes)
