"""lenstronomy draws our galaxies with their flux, pixels and place, and the right way round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lenstronomy")

from lenstronomy.Data.imaging_data import ImageData
from lenstronomy.Data.psf import PSF
from lenstronomy.ImSim.image_model import ImageModel
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.SimulationAPI.sim_api import SimAPI
from lenstronomy.Util import simulation_util

from galgen.adapters.lenstronomy import interpol, light_of
from galgen.catalog import CatalogFile
from galgen.errors import InvalidValueError
from tests.adapters.sky import Moments
from tests.galsim import gaussians
from tests.galsim.gaussians import BANDS, CROWDED, DARK, FLUX, SHAPES, SIGMA

SCALE, ZERO = 0.4, 25.0


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    path: Path = tmp_path_factory.mktemp("lenstronomy") / "a.fits"
    with CatalogFile(gaussians.write(path, SCALE, zero_point=ZERO)) as file:
        yield file


def drawn(size: int, pixel: float, inverse: bool = False, **models: object) -> ImageModel:
    """An image of lenstronomy, without a PSF."""
    data = simulation_util.data_configure_simple(size, pixel, inverse=inverse)
    return ImageModel(ImageData(**data), PSF(psf_type="NONE"), **models)


# Round, elongated, off centre between pixels, centred on a pixel, beside a star on a bright sky.
@pytest.mark.parametrize("row", [0, 1, 2, 3, 4, CROWDED])
@pytest.mark.parametrize("band", BANDS)
def test_flux_place_size_and_angle(catalog, row, band):
    found = Moments(interpol(catalog, row, band))
    size = {"g": 1.1, "r": 1.0, "i": 0.9}[band]
    # The light ends where the catalogue's apertures do, and is drawn between pixels by lines.
    r50, q, angle, *_ = SHAPES[row]
    sigma2 = np.array([1 / q, q]) * (SIGMA * r50 * size * SCALE) ** 2 + (1 / 12 + 1 / 6) * SCALE**2
    assert found.flux == pytest.approx(catalog.column(f"FLUX_{band.upper()}")[row], rel=1e-5)
    assert found.flux == pytest.approx(FLUX[BANDS.index(band)], rel=0.02)
    assert np.hypot(found.east, found.north) < 0.02 * SCALE
    assert found.sigma == pytest.approx(sigma2.prod() ** 0.25, rel=0.02)
    assert found.axis_ratio == pytest.approx((sigma2[1] / sigma2[0]) ** 0.5, abs=0.01)
    if q < 1:  # stamps: +x, from which angles are counted, is west
        assert (found.angle - (angle - 90) + 90) % 180 - 90 == pytest.approx(0, abs=0.5)


def test_images_look_as_the_stamp_does_where_east_is_to_the_left(catalog):
    """lenstronomy's `inverse`: right ascension falls along the rows of an image."""
    model = drawn(64, SCALE, True, lens_light_model_class=LightModel(["INTERPOL"]))
    row = 0  # centred on the middle of its stamp
    image_hw = model.image(kwargs_lens_light=[interpol(catalog, row, "r")])
    stamp_hw = catalog.stamps(row)[BANDS.index("r")]
    np.testing.assert_allclose(image_hw, stamp_hw, rtol=0, atol=5e-3 * stamp_hw.max())
    assert np.abs(image_hw - stamp_hw[:, ::-1]).max() > 0.2 * stamp_hw.max()


@pytest.mark.parametrize("pixel", [0.4, 0.13])
def test_total_flux_of_images(catalog, pixel):
    model = drawn(int(30 / pixel), pixel, lens_light_model_class=LightModel(["INTERPOL"]))
    image_hw = model.image(kwargs_lens_light=[interpol(catalog, 2, "r")])
    assert image_hw.sum() == pytest.approx(catalog.column("FLUX_R")[2], rel=2e-4)


def test_magnitudes_of_the_simulation_api(catalog):
    band = {
        "pixel_scale": 0.2,
        "magnitude_zero_point": 27.0,
        "background_noise": 0.0,
        "psf_type": "NONE",
        "exposure_time": 1.0,
    }
    api = SimAPI(150, band, {"lens_light_model_list": ["INTERPOL"]})
    light, _, _ = api.magnitude2amplitude([interpol(catalog, 2, "r", magnitude=20.0)])
    image_hw = api.image_model_class({}).image(kwargs_lens_light=light)
    assert image_hw.sum() == pytest.approx(10 ** (0.4 * (27 - 20)), rel=2e-4)


def test_places_and_rotations_that_are_given(catalog):
    """A galaxy is turned about its centroid: from east to north, so that position angles fall."""
    plain = Moments(interpol(catalog, 2, "r"))
    moved = Moments(interpol(catalog, 2, "r", center_x=1.3, center_y=-0.7, phi_G=0.5))
    assert moved.flux == pytest.approx(plain.flux, rel=1e-5)
    assert (moved.east, moved.north) == pytest.approx((1.3, -0.7), abs=0.02 * SCALE)
    away = moved.angle - (plain.angle - np.degrees(0.5))
    assert (away + 90) % 180 - 90 == pytest.approx(0, abs=0.5)


def test_a_lensed_source_is_magnified(catalog):
    """By an external shear, whose magnification is 1 / (1 - gamma^2)."""
    source = interpol(catalog, 4, "r", center_x=0.3)
    images = []
    for lens in ([], [{"gamma1": 0.1, "gamma2": -0.2}]):
        model = drawn(
            400,
            0.1,
            lens_model_class=LensModel(["SHEAR"] * len(lens)),
            source_model_class=LightModel(["INTERPOL"]),
        )
        images.append(model.image(kwargs_lens=lens, kwargs_source=[source]).sum())
    assert images[1] / images[0] == pytest.approx(1 / (1 - 0.05), rel=1e-3)


@pytest.mark.parametrize(
    ("row", "options", "message"),
    [
        (8, {}, r"row is 8; allowed: 0\.\.7"),
        (-1, {}, r"row is -1; allowed: 0\.\.7"),
        (0, {"band": "z"}, r"band is 'z'; allowed: g, r, i"),
        (DARK, {}, r"row is 6; allowed: a galaxy that can be seen"),
        (0, {"pixel_scale": 0.0}, r"pixel_scale is 0\.0; allowed: above 0"),
    ],
)
def test_what_cannot_be_drawn(catalog, row, options, message):
    with pytest.raises(InvalidValueError, match=message):
        interpol(catalog, row, **options)


def test_stamps_without_a_scale(tmp_path):
    with CatalogFile(gaussians.write(tmp_path / "a.fits")) as bare:
        with pytest.raises(InvalidValueError, match=r"pixel_scale is None"):
            interpol(bare, 0)
        assert interpol(bare, 0, pixel_scale=0.1)["scale"] == 0.1
        assert light_of(bare, 0, pixel_scale=0.1).scale == 0.1
