"""BlendingToolKit draws blends of our galaxies, with the flux, place and shape of its table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("btk")

import btk
import galsim
from astropy.table import Table
from btk.sampling_functions import DefaultSampling, DefaultSamplingShear, SamplingFunction
from surveycodex.utilities import mag2counts

from galgen.adapters.btk import GalgenCatalog, GalgenGenerator
from galgen.errors import DataError, InvalidValueError
from tests.galsim import gaussians
from tests.galsim.gaussians import BANDS, DARK, FLUX, SHAPES, SIGMA

SCALE, MAG_ZERO = 0.4, 25.0
PSF = galsim.Gaussian(fwhm=0.8)  # without wings, which would be beyond the image

# BTK seeds GalSim with an array of one number.
NOISE = pytest.mark.filterwarnings("ignore:Conversion of an array with ndim > 0 to a scalar")


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return gaussians.write(tmp_path_factory.mktemp("btk") / "a.fits", SCALE)


@pytest.fixture(scope="module")
def catalog(path) -> GalgenCatalog:
    return GalgenCatalog.from_file(path, mag_zero=MAG_ZERO)


def psf(survey: btk.survey.Survey, filt: btk.survey.Filter) -> galsim.GSObject:
    return PSF


def survey(name: str = "LSST", filters: tuple[str, ...] = BANDS) -> btk.survey.Survey:
    made = btk.survey.get_surveys(name, psf)
    made.available_filters = list(filters)
    return made


class Each(SamplingFunction):
    """Galaxy after galaxy of the table, all of them in one blend, at one place each."""

    def __init__(self, rows: list[int], stamp_size: float = 60.0) -> None:
        super().__init__(stamp_size, len(rows), len(rows))
        self._rows = rows

    def __call__(self, table: Table) -> Table:
        blend = table[self._rows]
        blend["ra"] = np.linspace(-3, 3, len(self._rows))
        blend["dec"] = np.linspace(2, -1, len(self._rows))
        return blend


def drawn(catalog: GalgenCatalog, sampling: SamplingFunction, surveys=None, **options):
    """One batch of one blend, without noise."""
    options = {"batch_size": 1, "add_noise": "none"} | options
    return next(GalgenGenerator(catalog, sampling, surveys or survey(), **options))


@pytest.mark.parametrize("name", ["LSST", "HSC", "SDSS"])  # pixels of 0.2, 0.17 and 0.4 arcsec
def test_flux_is_that_of_the_table_in_every_band(catalog, name):
    batch = drawn(catalog, Each([0, 1, 2, 3]), surveys := survey(name))
    for image_bhw, row in zip(batch.isolated_images[0], batch.catalog_list[0], strict=True):
        for image_hw, band in zip(image_bhw, BANDS, strict=True):
            filt = surveys.get_filter(band)
            rate = 10 ** (0.4 * (filt.zeropoint.value - row[f"{band}_ab"]))
            counts = rate * filt.full_exposure_time.to_value("s")
            assert image_hw.sum() == pytest.approx(counts, rel=1e-5)
            # BTK's own number is cut off at a whole electron.
            assert int(counts) == mag2counts(row[f"{band}_ab"], surveys, filt).value


def test_magnitudes_are_those_of_the_catalogue(catalog):
    assert len(catalog.table) == 7  # one has no light
    assert catalog.table["btk_index"].tolist() == [i for i in range(8) if i != DARK]
    for band, flux in zip(BANDS, FLUX, strict=True):
        flux_n = 10 ** (0.4 * (MAG_ZERO - catalog.table[f"{band}_ab"]))
        np.testing.assert_allclose(flux_n, flux, rtol=0.02)
        stored_n = catalog.get_raw_catalog()[f"FLUX_{band.upper()}"][catalog.table["btk_index"]]
        np.testing.assert_allclose(flux_n, np.asarray(stored_n), rtol=1e-6)


def test_faint_galaxies_have_their_colours(path):
    """Of a hundred electrons, too, of which BTK's own numbers have two digits."""
    faint = GalgenCatalog.from_file(path, mag_zero=36.0)
    batch = drawn(faint, Each([0]))
    sums_b = batch.isolated_images[0, 0].sum((-2, -1))
    row = batch.catalog_list[0][0]
    filters = [batch.survey.get_filter(band) for band in BANDS]
    counts_b = [
        10 ** (0.4 * (f.zeropoint.value - row[f"{f.name}_ab"])) * f.full_exposure_time.value
        for f in filters
    ]
    assert sums_b.max() < 5000
    np.testing.assert_allclose(sums_b, counts_b, rtol=1e-5)


@NOISE
def test_isolated_galaxies_add_up_to_the_blend(catalog):
    batch = drawn(catalog, Each([0, 2, 4]))
    assert batch.blend_images.shape == (1, 3, 300, 300)
    total_bhw = batch.isolated_images[0].sum(0)
    peak = total_bhw.max()
    np.testing.assert_allclose(batch.blend_images[0], total_bhw, rtol=0, atol=1e-6 * peak)
    noisy = drawn(catalog, Each([0, 2, 4]), add_noise="all")
    np.testing.assert_array_equal(noisy.isolated_images, batch.isolated_images)
    assert np.std(noisy.blend_images - batch.blend_images) > 100


def moments(image_hw: np.ndarray, row) -> tuple[float, float, galsim.Shear, float]:
    """Centre (0 is the middle of the first pixel), shape, and sigma (pix)."""
    image = galsim.Image(np.ascontiguousarray(image_hw / image_hw.max()), scale=1)
    there = galsim.PositionD(row["x_peak"] + 1, row["y_peak"] + 1)
    found = galsim.hsm.FindAdaptiveMom(image, guess_sig=6, guess_centroid=there)
    centre = found.moments_centroid
    return centre.x - 1, centre.y - 1, found.observed_shape, found.moments_sigma


def test_galaxies_are_where_the_table_says_and_as_large(catalog):
    batch = drawn(catalog, Each([0, 1, 2, 3, 4]))
    blur = PSF.sigma**2 + 0.2**2 / 12  # the pixel, too
    for number, row in enumerate(batch.catalog_list[0]):
        r50, q, angle, *_ = SHAPES[number]
        for image_hw, size in zip(batch.isolated_images[0, number], (1.1, 1, 0.9), strict=True):
            x, y, shape, sigma = moments(image_hw, row)
            assert x == pytest.approx(row["x_peak"], abs=0.05)
            assert y == pytest.approx(row["y_peak"], abs=0.05)
            # Second moments add up; those of the stamp's own pixels are in it, too.
            along = np.array([1 / q, q]) * (size * SIGMA * r50 * SCALE) ** 2
            along += blur + SCALE**2 / 12
            assert sigma * 0.2 == pytest.approx(along.prod() ** 0.25, rel=0.02)
            if q < 1:
                away = (shape.beta / galsim.degrees - angle + 90) % 180 - 90
                assert away == pytest.approx(0, abs=1)


def test_rotation_and_shear_are_those_of_btk(catalog):
    plain = drawn(catalog, Each([3]))
    turned = drawn(catalog, Each([3]), augment_data=True, seed=3)
    beta = [
        moments(batch.isolated_images[0, 0, 1], batch.catalog_list[0][0])[2].beta / galsim.degrees
        for batch in (plain, turned)
    ]
    away = beta[1] - beta[0] - turned.catalog_list[0]["btk_rotation"][0]
    assert (away + 90) % 180 - 90 == pytest.approx(0, abs=0.5)

    sampling = DefaultSamplingShear(stamp_size=60, min_number=1, max_number=1, shear=(0.1, -0.2))
    only = GalgenCatalog(
        catalog.get_raw_catalog(), catalog.table[[1]], catalog.galaxies, catalog.pixel_scale
    )
    sheared = drawn(only, sampling, apply_shear=True)
    row, image_hw = sheared.catalog_list[0][0], sheared.isolated_images[0, 0, 1]
    _, _, shape, _ = moments(image_hw, row)
    assert shape.g1 / shape.g2 == pytest.approx(-0.5, rel=0.02)
    counts = mag2counts(row["r_ab"], sheared.survey, sheared.survey.get_filter("r")).value
    assert image_hw.sum() == pytest.approx(counts, rel=1e-5)


def test_processes_draw_the_same(catalog):
    batches = [
        drawn(
            catalog,
            DefaultSampling(stamp_size=24, max_number=3, mag_name="r_ab", seed=5),
            batch_size=4,
            njobs=njobs,
        )
        for njobs in (1, 2)
    ]
    np.testing.assert_array_equal(*(batch.isolated_images for batch in batches))
    np.testing.assert_array_equal(*(batch.blend_images for batch in batches))


def test_what_cannot_be_seen_is_not_drawn(catalog):
    table = catalog.table.copy()
    table["btk_index"][0] = DARK
    dark = GalgenCatalog(catalog.get_raw_catalog(), table, catalog.galaxies, SCALE)
    batch = drawn(dark, Each([0, 1]))
    assert batch.catalog_list[0]["not_drawn_r"].tolist() == [1, 0]
    assert not batch.isolated_images[0, 0].any()
    assert batch.isolated_images[0, 1].any()


def test_truth_is_kept_with_the_blend(catalog, tmp_path):
    batch = drawn(catalog, Each([0, 1]))
    assert batch.catalog_list[0]["CATEGORY_NAME"].tolist() == ["barred-spiral", "round-smooth"]
    assert batch.catalog_list[0]["GALAXY_ID"].tolist() == [0, 1]
    batch.save(str(tmp_path))
    assert (tmp_path / "blend_0.hdf5").is_file()


def test_what_is_refused(path, catalog, tmp_path):
    with pytest.raises(InvalidValueError, match=r"mag_zero is None; allowed: the AB magnitude"):
        GalgenCatalog.from_file(path)
    with pytest.raises(InvalidValueError, match=r"mag_zero is nan; allowed: a finite"):
        GalgenCatalog.from_file(path, mag_zero=float("nan"))
    without = gaussians.write(tmp_path / "b.fits")
    with pytest.raises(InvalidValueError, match=r"pixel_scale is None; allowed: arcsec per pixel"):
        GalgenCatalog.from_file(without, mag_zero=25.0)
    with pytest.raises(InvalidValueError, match=r"pixel_scale is -1; allowed: above 0"):
        GalgenCatalog.from_file(without, mag_zero=25.0, pixel_scale=-1)
    with pytest.raises(DataError, match=r"none\.fits"):
        GalgenCatalog.from_file(tmp_path / "none.fits")
    all_six = survey(filters=("u", "g", "r", "i", "z", "y"))
    with pytest.raises(InvalidValueError, match=r"filters of LSST is .*allowed: g, r, i\. Set"):
        drawn(catalog, Each([0]), all_six)
    other = btk.catalog.CatsimCatalog(Table({"ra": [0.0], "dec": [0.0]}))
    with pytest.raises(InvalidValueError, match=r"catalog is 'CatsimCatalog'; allowed: a GalgenC"):
        GalgenGenerator(other, Each([0]), survey())


def test_positions_of_the_catalogue(tmp_path):
    """In degrees, as BTK's catalogues have them."""
    assert not catalog_positions(tmp_path, {}).any()
    degrees = np.linspace(10, 11, 8)
    found = catalog_positions(tmp_path, {"RA": degrees})
    np.testing.assert_allclose(found, np.delete(degrees, DARK))


def catalog_positions(folder: Path, carried: dict[str, np.ndarray]) -> np.ndarray:
    path = gaussians.write(folder / f"{len(carried)}.fits", SCALE, carried)
    return np.asarray(GalgenCatalog.from_file(path, mag_zero=25.0).table["ra"])
