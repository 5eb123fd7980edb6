"""skyCatalogs finds our galaxies in a region of the sky, and imSim would draw them as they are."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

with warnings.catch_warnings():  # of what it imports
    warnings.simplefilter("ignore")
    pytest.importorskip("skycatalogs")
    from skycatalogs.objects.base_object import load_lsst_bandpasses
    from skycatalogs.skyCatalogs import open_catalog
    from skycatalogs.utils.shapes import Disk, PolygonalRegion

import galsim

from galgen.catalog import CatalogFile
from galgen.errors import DataError, InvalidValueError
from galgen.galsim import GalgenCatalog, make_galaxy
from tests.galsim import gaussians
from tests.galsim.gaussians import BANDS, DARK
from tests.real import run_info, write_real

SCALE, ZERO, AREA = 0.4, 25.0, 400.0
PSF, SIZE = galsim.Gaussian(fwhm=0.7), {"nx": 120, "ny": 120, "scale": 0.2}
SEEN = [i for i in range(8) if i != DARK]
SKY = {"RA": 150 + np.arange(8) * 0.01, "DEC": np.full(8, 2.0)}
LENS = {"G1": np.full(8, 0.1), "G2": np.full(8, -0.15), "KAPPA": np.full(8, 0.05)}
TYPE = "galgen_galaxy"
CONFIG = """
schema_version: 1.3.0
skycatalog_root: {folder}
catalog_dir: .
object_types:
  galgen_galaxy:
    module: galgen.adapters.skycatalogs
    file_name: {file}
    area_partition: None
"""


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("skyCatalogs").setLevel(logging.ERROR)


def configured(folder: Path, file: str = "a.fits", more: str = "") -> Path:
    path = folder / "sky.yaml"
    path.write_text(CONFIG.format(folder=folder, file=file) + more)
    return path


def found(config: Path, region: object = None) -> list:
    """The objects that imSim gets."""
    everywhere = Disk(150.03, 2.0, 3600)
    catalog = open_catalog(str(config))
    return list(catalog.get_objects_by_region(region or everywhere, {TYPE}, mjd=60000))


def added_up(one: object) -> galsim.ChromaticSum:
    """What imSim makes of an object's components."""
    light, spectra = one.get_gsobject_components({}), one.get_observer_sed_components()
    assert set(light) == set(spectra) == set(BANDS)
    return galsim.Add([light[part] * spectra[part] * AREA for part in light])


def wanted(folder: Path, number: int, band: str) -> galsim.Image:
    """Draw the galaxy of a band as GalSim does."""
    mu = 1 / (0.95**2 * (1 - 0.1**2 - 0.15**2))
    galaxy = make_galaxy(GalgenCatalog(folder / "a.fits"), SEEN[number], band=band)
    return galsim.Convolve(galaxy.lens(0.1, -0.15, mu), PSF).drawImage(**SIZE)


def moments(image: galsim.Image) -> galsim.hsm.ShapeData:
    return galsim.hsm.FindAdaptiveMom(
        galsim.Image(np.array(image.array / image.array.max(), float))
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("skycatalogs")
    gaussians.write(folder / "a.fits", SCALE, SKY | LENS, ZERO)
    return folder


@pytest.fixture(scope="module")
def objects(folder) -> list:
    return found(configured(folder))


def test_objects_of_a_region(folder, objects):
    assert [one.id for one in objects] == [str(i) for i in SEEN]
    assert [one.object_type for one in objects] == [TYPE] * 7
    np.testing.assert_array_equal([one.ra for one in objects], SKY["RA"][SEEN])
    corners = [(150.005, 1.9), (150.035, 1.9), (150.035, 2.1), (150.005, 2.1)]
    few = found(configured(folder), PolygonalRegion(corners))
    assert [one.id for one in few] == ["1", "2", "3"]
    assert found(configured(folder), Disk(10.0, 2.0, 100)) == []


@pytest.mark.parametrize("band", BANDS)
def test_fluxes_are_those_of_the_magnitudes(folder, objects, band):
    bandpass = load_lsst_bandpasses()[band]
    with CatalogFile(folder / "a.fits") as catalog:
        flux_n = catalog.column(f"FLUX_{band.upper()}").astype(np.float64)[SEEN]
    for one, flux in zip(objects, flux_n, strict=True):
        counts = one.get_LSST_flux(band)
        # GalSim's zero point of a filter is another sum over it, by 1e-4.
        mag = bandpass.zeropoint - 2.5 * np.log10(counts)
        assert mag == pytest.approx(ZERO - 2.5 * np.log10(flux), abs=2e-4)


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("number", [0, 3])
def test_images_show_the_galaxy_of_the_band(folder, objects, number, band):
    """Sizes are 1.1, 1 and 0.9 in g, r and i."""
    whole = added_up(objects[number])
    image = galsim.Convolve(whole, PSF).drawImage(load_lsst_bandpasses()[band], **SIZE)
    counts = AREA * objects[number].get_LSST_flux(band)
    assert image.array.sum() == pytest.approx(counts, rel=2e-3)
    found, right = moments(image), moments(wanted(folder, number, band))
    assert found.moments_sigma == pytest.approx(right.moments_sigma, rel=5e-3)
    assert abs(found.observed_shape.shear - right.observed_shape.shear) < 2e-3
    assert (found.moments_centroid - right.moments_centroid).x == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("band", BANDS)
def test_photons_that_are_shot_and_galaxies_that_are_faint(folder, objects, band):
    """As imSim draws all but the brightest objects, and those of less than 100 photons."""
    bandpass, n = load_lsst_bandpasses()[band], 200_000
    right = moments(wanted(folder, 0, band)).moments_sigma
    whole = added_up(objects[0]).withFlux(n, bandpass)
    image = galsim.Image(120, 120, scale=0.2)
    shot = {"method": "phot", "n_photons": n, "poisson_flux": False, "photon_ops": [PSF]}
    whole.drawImage(bandpass, image=image, rng=galsim.BaseDeviate(1), **shot)
    assert image.array.sum() == pytest.approx(n, rel=1e-2)
    assert moments(image).moments_sigma == pytest.approx(right, rel=1e-2)
    assert whole.sed(bandpass.effective_wavelength) > 0
    faint = galsim.Convolve(whole.evaluateAtWavelength(bandpass.effective_wavelength), PSF)
    assert moments(faint.drawImage(**SIZE)).moments_sigma == pytest.approx(right, rel=5e-3)


def test_colours_of_no_galaxy(folder, tmp_path):
    """Of 10 mag in g - r, most of what is seen in g is r where the filters overlap."""
    made = gaussians.stamps(SCALE)
    made.pixels[..., 0] *= 1e-4
    info = replace(run_info(made), zero_point=ZERO)
    write_real(tmp_path / "red.fits", made, info=info, carried=SKY)
    one = found(configured(tmp_path, "red.fits"))[0]
    spectra = one.get_observer_sed_components()
    bandpasses = load_lsst_bandpasses()
    assert all(spectra[band].calculateFlux(bandpasses[band]) > 0 for band in BANDS)
    for band in BANDS:
        assert (
            galsim.Convolve(added_up(one), PSF).drawImage(bandpasses[band], **SIZE).array.min() > -1
        )


def test_what_is_missing(folder, tmp_path):
    gaussians.write(tmp_path / "a.fits", None, SKY)
    with pytest.raises(InvalidValueError, match="pixel_scale is None"):
        found(configured(tmp_path))
    given = configured(tmp_path, more="    pixel_scale: 0.4\n    mag_zero: 25.0\n")
    assert len(found(given)) == 7
    gaussians.write(tmp_path / "nowhere.fits", SCALE, None, ZERO)
    with pytest.raises(InvalidValueError, match="positions is None"):
        found(configured(tmp_path, "nowhere.fits"))
    with pytest.raises(InvalidValueError, match="file_name of galgen_galaxy is None"):
        found(configured(tmp_path, "null"))
    with pytest.raises(DataError, match=r"none\.fits"):
        found(configured(tmp_path, "none.fits"))
