"""Positions on the sky, against astropy's."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from galgen.errors import InvalidValueError
from galgen.scene import Field

CENTRES = [(150.0, 2.0), (0.0, -45.0), (359.99, 10.0), (77.0, 90.0), (30.0, -89.99)]


@pytest.mark.parametrize(("ra", "dec"), CENTRES)
def test_pixels_and_sky_are_inverse(ra, dec):
    field = Field(ra, dec, 500, 301, 0.7)
    x, y = np.random.default_rng(0).uniform(-50, 550, (2, 100))
    sky = field.sky(x, y)
    assert ((sky[0] >= 0) & (sky[0] < 360)).all()
    assert np.array(field.pixels(*sky)) == pytest.approx(np.array([x, y]), abs=1e-6)


@pytest.mark.parametrize(("ra", "dec"), [c for c in CENTRES if c[1] < 90])  # no north up there
def test_scale_and_orientation(ra, dec):
    """The middle of the image is the centre; north is up, east to the left."""
    field = Field(ra, dec, 64, 49, 0.5)
    centre = SkyCoord(ra, dec, unit="deg")
    assert np.array(field.pixels(np.array([ra]), np.array([dec]))).ravel() == pytest.approx(
        [31.5, 24.0]
    )
    for angle, (dx, dy) in {0: (0, 1), 90: (-1, 0), 180: (0, -1)}.items():
        other = centre.directional_offset_by(angle * u.deg, 5 * u.arcsec)
        x, y = field.pixels(np.array([other.ra.deg]), np.array([other.dec.deg]))
        assert (x[0], y[0]) == pytest.approx((31.5 + 10 * dx, 24 + 10 * dy), abs=1e-4)


def test_header_is_read_back_as_it_is():
    field = Field(359.9, -89.0, 300, 200, 0.263)
    again = WCS(field.wcs.to_header())
    x, y = np.random.default_rng(0).uniform(0, 300, (2, 50))
    sky, expected = again.pixel_to_world(x, y), SkyCoord(*field.sky(x, y), unit="deg")
    assert sky.separation(expected).to_value(u.arcsec).max() < 1e-6
    assert again.wcs.radesys == "ICRS"


def test_nothing_comes_from_the_other_half_of_the_sky():
    field = Field(10, 20)
    ra, dec = np.array([190.0, 10.0, 100.5, 10.0]), np.array([-20.0, -70.5, 0.0, 20.0])
    x, y = field.pixels(ra, dec)
    assert list(np.isnan(x)) == list(np.isnan(y)) == [True, True, True, False]


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"ra": 360.0}, "ra"),
        ({"ra": float("nan")}, "ra"),
        ({"dec": 90.1}, "dec"),
        ({"width": 15}, "width"),
        ({"height": -3}, "height"),
        ({"width": 30_000, "height": 30_000}, "several fields"),
        ({"pixel_scale": 0.0}, "pixel scale"),
        ({"pixel_scale": float("inf")}, "pixel scale"),
        ({"pixel_scale": 60.0}, "side of the field"),
    ],
)
def test_impossible_fields_are_refused(changed, names):
    with pytest.raises(InvalidValueError, match=names):
        Field(**changed)
