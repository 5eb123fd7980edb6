"""Without noise, a scene holds what the truth says: fluxes, places, sizes, angles."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u

from galgen.errors import GalgenWarning
from galgen.scene import Field, Imaging, canvas
from tests.scene.conftest import one_galaxy
from tests.scene.looking import image, moments

STEP = 240  # pixels between galaxies of a grid


def grid(field: Field, seed: int = 0) -> dict[str, np.ndarray]:
    """Positions a fraction of a pixel off the middles of cells of STEP pixels."""
    x, y = np.meshgrid(
        np.arange(STEP / 2, field.width, STEP), np.arange(STEP / 2, field.height, STEP)
    )
    shift = np.random.default_rng(seed).uniform(-1, 1, (2, x.size))
    ra, dec = field.sky(x.ravel() + shift[0], y.ravel() + shift[1])
    return {"ra": ra, "dec": dec}


def cell(pixels: np.ndarray, row: np.record) -> np.ndarray:
    """All pixels but those of the row's cell set to 0."""
    i, j = int((row["X"] - 1) // STEP), int((row["Y"] - 1) // STEP)
    alone = np.zeros_like(pixels)
    part = np.s_[j * STEP : (j + 1) * STEP, i * STEP : (i + 1) * STEP]
    alone[part] = pixels[part]
    return alone


@pytest.mark.parametrize(
    ("radius", "psf"),
    [
        (0.15, "none"),  # 0.75 pixels: 10 stamp pixels in one of the image
        (0.15, "moffat:0.7"),
        (1.0, "gaussian:0.8"),  # about as in the stamp
        (1.5, "none"),  # enlarged
        (1.0, "moffat:0.7,gaussian:0.3,none"),  # another in every band
    ],
)
def test_flux_and_centroid_of_every_galaxy(draw, real_catalog, radius, psf):
    field = Field(10, -30, 4 * STEP, 2 * STEP)
    imaging = Imaging(psf=tuple(psf.split(",")), depth=(np.inf,))
    hdus = draw(real_catalog, field, imaging, half_light_radius=radius, **grid(field))
    assert len(hdus["TRUTH"].data) == 8
    for row in hdus["TRUTH"].data:
        alone = {band: cell(image(hdus, band), row) for band in "GRI"}
        for band, pixels in alone.items():
            assert pixels.sum() == pytest.approx(row[f"FLUX_{band}"], rel=1e-5)
        centres = np.array([moments(pixels)[:2] for pixels in alone.values()])
        # What is smaller than a pixel has its first moments changed by the pixel.
        assert centres.mean(0) == pytest.approx([row["X"], row["Y"]], abs=0.03)


def test_colours_follow_the_stamp_or_the_table(draw, ellipse_catalog):
    field, centre = Field(10, 0, 200, 200), {"ra": [10.0], "dec": [0.0]}
    (row,) = draw(ellipse_catalog, field, mag=20.0, **centre)["TRUTH"].data
    assert row["FLUX_I"] == pytest.approx(10.0)  # magnitudes of a table are in i
    assert row["FLUX_R"] / row["FLUX_I"] == pytest.approx(2 / 3, rel=1e-4)
    assert row["FLUX_G"] / row["FLUX_I"] == pytest.approx(1 / 3, rel=1e-4)
    assert row["MAG_G"] == pytest.approx(20 + 2.5 * np.log10(3), abs=1e-3)
    (row,) = draw(ellipse_catalog, field, mag_g=21.0, mag_i=20.0, **centre)["TRUTH"].data
    assert (row["MAG_G"], row["MAG_I"]) == pytest.approx((21, 20), abs=1e-5)


@pytest.mark.parametrize("radius", [0.5, 1.7])
def test_half_light_radius_is_that_of_the_image(draw, ellipse_catalog, radius):
    field = Field(10, 0, 300, 300)
    hdus = draw(ellipse_catalog, field, ra=[10.0], dec=[0.0], half_light_radius=radius)
    (row,) = hdus["TRUTH"].data
    y, x = np.mgrid[1:301, 1:301]
    theta = np.radians(row["THETA"])
    dx, dy = x - row["X"], y - row["Y"]
    along, across = dx * np.cos(theta) + dy * np.sin(theta), dy * np.cos(theta) - dx * np.sin(theta)
    q = 0.5  # of the formula
    assert row["AXIS_RATIO"] == pytest.approx(q, abs=0.03)
    inside = np.hypot(along * np.sqrt(q), across / np.sqrt(q)) < radius / field.pixel_scale
    pixels = image(hdus)
    assert (pixels * inside).sum() / pixels.sum() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        (10.0, 0.0),
        (0.0, 45.0),  # half of the image is at 360
        (200.0, 89.995),  # the pole is in the image, north another way for every galaxy
        (200.0, -90.0),
    ],
)
@pytest.mark.parametrize("angle", [0.0, 30.0, 135.0])
def test_position_angle_is_from_north_through_east(draw, ellipse_catalog, ra, dec, angle):
    field = Field(ra, dec, 2 * STEP, 2 * STEP)
    at = grid(field)
    hdus = draw(ellipse_catalog, field, position_angle=angle, **at)
    assert len(hdus["TRUTH"].data) == 4
    for row in hdus["TRUTH"].data:
        x, y, theta = moments(cell(image(hdus), row))
        # The same axis on the sky, by astropy: a step along it from the centroid.
        start = field.wcs.pixel_to_world(x - 1, y - 1)
        stop = start.directional_offset_by(angle * u.deg, 1 * u.arcsec)
        x1, y1 = field.wcs.world_to_pixel(stop)
        expected = np.degrees(np.arctan2(y1 - y + 1, x1 - x + 1))
        assert abs((theta - expected + 90) % 180 - 90) < 0.5
        assert abs((row["THETA"] - expected + 90) % 180 - 90) < 0.5


@pytest.mark.parametrize("psf", ["none", "gaussian:1"])
def test_a_galaxy_larger_than_the_image(draw, ellipse_catalog, psf, monkeypatch):
    """Only what the image shows is drawn, and is the same as part of the whole."""
    field = Field(10, 0, 64, 48)
    imaging = Imaging(psf=(psf,), depth=(np.inf,))
    asked = {"ra": [10.0], "dec": [0.002], "half_light_radius": 12.0}
    seen = draw(ellipse_catalog, field, imaging, **asked)
    monkeypatch.setattr(canvas, "MAX_WHOLE", 10**6)
    whole = draw(ellipse_catalog, field, imaging, **asked)
    for band in "GRI":
        expected = image(whole, band)
        assert image(seen, band) == pytest.approx(expected, rel=1e-5)
        assert 0 < expected.sum() < 0.8 * whole["TRUTH"].data[f"FLUX_{band}"][0]


@pytest.mark.parametrize(
    ("x", "y"), [(-0.5, 100), (99.5, -0.5), (-0.5, -0.5), (199.5, 199.5), (-5, 100), (100, 204.7)]
)
def test_a_galaxy_on_the_edge_is_cut_by_it(draw, ellipse_catalog, x, y):
    """A smaller image is part of a larger one, wherever a galaxy falls."""
    large, imaging = Field(10, 0, 400, 400), Imaging(psf=("moffat:0.7",), depth=(np.inf,))
    ra, dec = large.sky(np.array([x + 100]), np.array([y + 100]))
    pixels = image(draw(ellipse_catalog, large, imaging, ra=ra, dec=dec))
    small = Field(10, 0, 200, 200)
    hdus = draw(ellipse_catalog, small, imaging, ra=ra, dec=dec)
    assert len(hdus["TRUTH"].data) == 1
    assert image(hdus) == pytest.approx(pixels[100:300, 100:300], abs=1e-6 * pixels.max())
    assert 0 < image(hdus).sum() < pixels.sum()


def test_a_galaxy_larger_than_its_stamp_shows_no_edge_of_it(draw, tmp_path):
    """It fades out in a circle, and a warning says so."""
    stamp = np.exp(-np.hypot(*(np.mgrid[:64, :64] - 31.5)) / 25)
    catalog = one_galaxy(tmp_path / "large.fits", stamp)
    field = Field(10, 0, 300, 300)
    with pytest.warns(GalgenWarning, match="1 of 1 galaxies are larger than their stamps"):
        hdus = draw(catalog, field, ra=[10.0], dec=[0.0], half_light_radius=10.0)
    pixels, (row,) = image(hdus), hdus["TRUTH"].data
    assert pixels.sum() == pytest.approx(row["FLUX_I"], rel=1e-5)
    y, x = np.mgrid[1:301, 1:301]
    r = np.hypot(x - row["X"], y - row["Y"])
    end = r[pixels > 0].max()
    for distance in (0.7 * end, 0.85 * end, 0.95 * end):
        ring = pixels[np.abs(r - distance) < 1]
        assert np.ptp(ring) < 0.05 * pixels.max()  # as bright towards corners as towards sides
    steps = np.abs(np.diff(pixels, axis=1)).max()
    assert np.abs(np.diff(pixels, axis=1))[r[:, 1:] > 0.6 * end].max() <= steps


def test_a_galaxy_smaller_than_any_pixel_is_a_point(draw, ellipse_catalog, monkeypatch):
    monkeypatch.setattr(canvas, "MIN_ZOOM", 1 / 64)  # for speed
    columns = {"ra": [10.0], "dec": [0.0], "half_light_radius": 1e-6}
    hdus = draw(ellipse_catalog, Field(10, 0, 32, 32), **columns)
    (row,) = hdus["TRUTH"].data
    assert image(hdus).sum() == pytest.approx(row["FLUX_I"], rel=1e-5)
    assert (image(hdus) > 0).sum() <= 4
