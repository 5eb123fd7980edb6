"""Profiles have the flux, size, centre, shape and colours that are asked for."""

from __future__ import annotations

import pickle
from typing import NamedTuple

import galsim
import numpy as np
import pytest

from galgen.errors import (
    CatalogError,
    DataError,
    GalgenWarning,
    InvalidValueError,
    UnknownCategoryError,
)
from galgen.galsim import GalgenCatalog, make_galaxy
from tests.galsim import gaussians
from tests.galsim.gaussians import BANDS, CROWDED, DARK, FLUX, SHAPES, SIGMA
from tests.real import FIXTURE

SEEN = [i for i in range(len(SHAPES)) if i != DARK]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> GalgenCatalog:
    return GalgenCatalog(gaussians.write(tmp_path_factory.mktemp("galsim") / "a.fits"))


def drawn(profile: galsim.GSObject, scale: float = 0.05) -> galsim.Image:
    """The profile itself, finely sampled and without a further pixel."""
    return profile.drawImage(nx=256, ny=256, scale=scale, method="no_pixel")


class Moments(NamedTuple):
    """Of a Gaussian fitted to a profile: sigma and centre (arcsec), axis ratio, angle (deg)."""

    sigma: float
    x: float
    y: float
    shape: galsim.Shear

    @property
    def axis_ratio(self) -> float:
        return self.shape.q

    @property
    def angle(self) -> float:
        return self.shape.beta / galsim.degrees


def moments(profile: galsim.GSObject, radius: float = 1.0) -> Moments:
    """Adaptive moments of a profile of this half-light radius."""
    scale = radius / 20
    image = drawn(profile, scale)
    found = galsim.hsm.FindAdaptiveMom(image, guess_sig=SIGMA * radius / scale)
    centre = scale * (found.moments_centroid - image.true_center)
    return Moments(scale * found.moments_sigma, centre.x, centre.y, found.observed_shape)


@pytest.mark.parametrize("index", SEEN)
@pytest.mark.parametrize("band", BANDS)
def test_flux_is_exactly_what_is_asked_for(catalog, index, band):
    galaxy = make_galaxy(catalog, index, band=band, flux=250.0, half_light_radius=1.0)
    assert galaxy.flux == pytest.approx(250, rel=1e-6)
    assert drawn(galaxy).array.sum() == pytest.approx(250, rel=1e-3)
    seen = galsim.Convolve(galaxy, galsim.Moffat(3.5, fwhm=0.7)).drawImage(
        nx=200, ny=200, scale=0.2
    )
    assert seen.array.sum() == pytest.approx(250, rel=5e-3)  # wings of the PSF are further out


def test_magnitudes(catalog):
    given = {"mag": 18.0, "zeropoint": 25.5, "half_light_radius": 1.0}
    assert make_galaxy(catalog, 0, **given).flux == pytest.approx(1000, rel=1e-6)


# Resolved well and hardly, round and elongated: sizes of ellipses are circularised.
@pytest.mark.parametrize("index", SEEN)
@pytest.mark.parametrize("radius", [0.5, 1.5])
def test_half_light_radius_and_shape(catalog, index, radius):
    galaxy = make_galaxy(catalog, index, half_light_radius=radius)
    found = moments(galaxy, radius)
    # The stamp's pixels widen what is small: more along its minor axis, which makes it rounder.
    r50, q, angle, *_ = SHAPES[index]
    sigma2 = np.array([1 / q, q]) * (SIGMA * r50) ** 2 + 1 / 12
    q = np.sqrt(sigma2[1] / sigma2[0])
    assert found.sigma == pytest.approx(SIGMA * radius, rel=0.012)
    assert found.axis_ratio == pytest.approx(q, abs=0.01)
    if q < 1:
        assert (found.angle - angle + 90) % 180 - 90 == pytest.approx(0, abs=0.5)


def test_half_light_radius_is_that_of_galsim(catalog):
    """As of a parametric galaxy of the same radius and shape."""
    galaxy = make_galaxy(catalog, 3, half_light_radius=1.0)
    shape = moments(galaxy).shape
    wanted = galsim.Gaussian(half_light_radius=1.0).shear(shape).calculateHLR(scale=0.02)
    assert galaxy.calculateHLR(scale=0.02) == pytest.approx(wanted, rel=5e-3)
    round_one = make_galaxy(catalog, 1, half_light_radius=1.0)
    assert round_one.calculateHLR(scale=0.02) == pytest.approx(1, rel=5e-3)


@pytest.mark.parametrize("index", SEEN)
def test_galaxies_are_centred(catalog, index):
    found = moments(make_galaxy(catalog, index, half_light_radius=1.0))
    stamp_pixel = 1 / SHAPES[index][0]
    assert np.hypot(found.x, found.y) < 0.02 * stamp_pixel


@pytest.mark.parametrize("ref_band", BANDS)
def test_colours_are_kept_with_a_common_reference_band(catalog, ref_band):
    given = {"ref_band": ref_band, "mag": 18.0, "zeropoint": 25.5, "half_light_radius": 1.0}
    images = {band: make_galaxy(catalog, 2, band=band, **given) for band in BANDS}
    ratio = FLUX / FLUX[BANDS.index(ref_band)]
    fluxes = [image.flux for image in images.values()]
    np.testing.assert_allclose(fluxes, 1000 * ratio, rtol=4e-3)
    sizes = [moments(image).sigma for image in images.values()]
    np.testing.assert_allclose(np.divide(sizes, sizes[1]), [1.1, 1, 0.9], rtol=5e-3)


def test_without_a_reference_every_band_has_what_is_asked_for(catalog):
    galaxies = [make_galaxy(catalog, 2, band=b, flux=9.0, half_light_radius=1.0) for b in BANDS]
    sizes = [moments(galaxy).sigma for galaxy in galaxies]
    np.testing.assert_allclose([galaxy.flux for galaxy in galaxies], 9)
    np.testing.assert_allclose(np.divide(sizes, sizes[1]), 1, rtol=5e-3)


def test_rotation(catalog):
    galaxy = make_galaxy(catalog, 0, half_light_radius=1.0).rotate(40 * galsim.degrees)
    assert moments(galaxy).angle == pytest.approx(30 + 40, abs=0.5)


def test_stamps_as_they_are(tmp_path):
    """Flux and size of a survey's own stamps; a pixel scale of one's own wins."""
    catalog = GalgenCatalog("a.fits", dir=gaussians.write(tmp_path / "a.fits", 0.4).parent)
    assert catalog.pixel_scale == pytest.approx(0.4)
    for pixel_scale in (None, 0.8):
        given = {} if pixel_scale is None else {"pixel_scale": pixel_scale}
        galaxy = make_galaxy(catalog, 1, **given)
        assert galaxy.flux == pytest.approx(1000, rel=2e-3)  # band r
        sigma = moments(galaxy).sigma
        assert sigma == pytest.approx(SIGMA * 3 * (pixel_scale or 0.4), rel=0.01)


def test_sky_and_neighbours_are_not_drawn(catalog):
    galaxy = make_galaxy(catalog, CROWDED, pixel_scale=1.0)
    assert galaxy.flux == pytest.approx(FLUX[1], rel=0.02)  # not the sky's 20,000 or the star's 800
    image = galaxy.drawImage(nx=64, ny=64, scale=1.0, method="no_pixel").array
    assert np.abs(image[40:50, 45:55]).max() < 0.01 * image.max()  # around the star
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert np.abs(border).max() < 1e-4 * image.max()


def test_galaxies_by_category(catalog):
    assert catalog.nobjects == catalog.count() == 8
    assert catalog.count("spiral") == 4
    assert [catalog.row(i, "spiral") for i in range(4)] == [0, 2, 4, 7]  # barred and loose too
    assert [catalog.row(i, "round") for i in range(2)] == [1, 5]
    assert catalog.value("CATEGORY_NAME", 1) == "round-smooth"
    assert catalog.value("GALAXY_ID", 4) == 4
    assert catalog.value("HALF_LIGHT_RADIUS", 1) == pytest.approx(3, rel=0.05)
    galaxy = make_galaxy(catalog, 1, "round", half_light_radius=1.0)
    assert galaxy == make_galaxy(catalog, 5, half_light_radius=1.0)


def test_words_for_categories_are_understood(catalog):
    with pytest.warns(GalgenWarning, match="'ellipticals' is no category.*'smooth', is taken"):
        assert catalog.count("ellipticals") == catalog.count("smooth") > 0
    assert catalog.row(0, "ellipticals") == catalog.row(0, "smooth")  # and said once


def test_pickled_catalogues_draw_the_same(catalog):
    again = pickle.loads(pickle.dumps(catalog))
    given = {"flux": 3.0, "half_light_radius": 1.0}
    assert make_galaxy(again, 2, **given) == make_galaxy(catalog, 2, **given)
    assert "a.fits" in repr(again)


@pytest.mark.parametrize(
    ("index", "options", "message"),
    [
        (8, {}, r"index is 8; allowed: 0..7"),
        (-1, {}, r"index is -1; allowed: 0..7"),
        (2, {"category": "round"}, r"index is 2; allowed: 0..1.*category round"),
        (0, {"category": "disturbed"}, r"category is 'disturbed'; allowed: .*barred-spiral"),
        (0, {"band": "z"}, r"band is 'z'; allowed: g, r, i"),
        (0, {"ref_band": "z"}, r"ref_band is 'z'; allowed: g, r, i"),
        (0, {"mag": 18.0}, r"zeropoint is None"),
        (0, {"mag": 18.0, "zeropoint": 25.0, "flux": 1.0}, r"either mag or flux"),
        (0, {"mag": float("nan"), "zeropoint": 25.0}, r"mag is nan; allowed: a finite number"),
        (0, {"flux": float("inf")}, r"flux is inf; allowed: a finite number"),
        (0, {"half_light_radius": 0.0}, r"half_light_radius is 0.0; allowed: above 0"),
        (0, {"half_light_radius": float("nan")}, r"half_light_radius is nan"),
        (0, {"half_light_radius": None}, r"half_light_radius is None.*pixel_scale"),
        (0, {"half_light_radius": None, "pixel_scale": -1.0}, r"pixel_scale is -1.0"),
        (0, {"pixel_scale": 0.2}, r"either pixel_scale or half_light_radius"),
        (DARK, {}, r"index is 6; allowed: a galaxy that can be seen"),
    ],
)
def test_what_cannot_be_drawn(catalog, index, options, message):
    with pytest.raises(InvalidValueError, match=message):
        make_galaxy(catalog, index, **{"half_light_radius": 1.0} | options)


def test_other_mistakes(catalog, tmp_path):
    with pytest.raises(UnknownCategoryError, match=r"spirl.*spiral"):
        make_galaxy(catalog, 0, "spirl", half_light_radius=1.0)
    with pytest.raises(InvalidValueError, match=r"key is 'NOTHING'; allowed: GALAXY_ID"):
        catalog.value("NOTHING", 0)
    with pytest.raises(DataError, match=r"none\.fits"):
        GalgenCatalog("none.fits", dir=tmp_path)
    with pytest.raises(CatalogError, match="galaxies64"):
        GalgenCatalog(FIXTURE)
