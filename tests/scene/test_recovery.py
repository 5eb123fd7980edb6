"""Source extraction finds in a scene what its truth says is there."""

from __future__ import annotations

import numpy as np
import pytest
import sep
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from galgen.scene import CatalogGalaxies, Field, Imaging, make_scene, random_sources
from tests.scene.looking import image

BRIGHT = 21.5
NOT_FADED = 23.5  # mag / arcsec^2 in the half-light radius, 40 times the noise of an arcsec^2
REACH = 3.0  # half-light radii that must not touch those of a galaxy that is not 3 mag fainter
EDGE = 40  # pixels


@pytest.fixture(scope="module")
def scene(real_catalog, tmp_path_factory) -> fits.HDUList:
    """Real galaxies over a sky of noise, as bright and as many as in the sky."""
    path = tmp_path_factory.mktemp("field") / "field.fits"
    field = Field(359.99, 30, 1200, 1200)
    galaxies = CatalogGalaxies(real_catalog)
    sources = random_sources(field, galaxies.bands, limits=(19, 23.5))
    imaging = Imaging(psf=("moffat:0.7",), depth=(25.5,), sky=(0.05,))
    make_scene(path, galaxies, sources, field, imaging)
    with fits.open(path, memmap=False) as hdus:
        for hdu in hdus:
            hdu.data  # noqa: B018  read before the file is closed
    return hdus


@pytest.fixture(scope="module")
def bright(scene) -> np.ndarray:
    """Rows of the truth that are bright, alone and not on the edge."""
    truth = scene["TRUTH"].data
    radius, mag = truth["HALF_LIGHT_RADIUS"], truth["MAG_I"]
    where = SkyCoord(truth["RA"], truth["DEC"], unit="deg")
    distance = where[:, None].separation(where).arcsec - REACH * (radius + radius[:, None])
    np.fill_diagonal(distance, np.inf)
    alone = np.where(mag < mag[:, None] + 3, distance, np.inf).min(1) > 0
    inside = np.minimum(truth["X"], truth["Y"]) > EDGE
    inside &= np.maximum(truth["X"], truth["Y"]) < 1200 - EDGE
    surface_brightness = mag + 2.5 * np.log10(2 * np.pi * radius**2)
    return truth[(mag < BRIGHT) & (surface_brightness < NOT_FADED) & alone & inside]


def extract(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Objects and their total (Kron) fluxes as SourceExtractor with its usual settings."""
    background = sep.Background(pixels)
    pixels = pixels - background.back()
    sep.set_extract_pixstack(1_000_000)
    found = sep.extract(pixels, 1.5, err=background.globalrms, minarea=5)
    shape = (found["x"], found["y"], found["a"], found["b"], np.clip(found["theta"], -1.57, 1.57))
    kron, _ = sep.kron_radius(pixels, *shape, 6.0)
    flux, _, _ = sep.sum_ellipse(pixels, *shape, 2.5 * np.nan_to_num(kron, nan=1), subpix=1)
    return found, flux


@pytest.mark.parametrize("band", ["G", "R", "I"])
def test_bright_galaxies_are_recovered(scene, bright, band):
    assert len(bright) > 12
    found, flux = extract(image(scene, band))
    distance = np.hypot(
        found["x"] + 1 - bright["X"][:, None], found["y"] + 1 - bright["Y"][:, None]
    )
    nearest, offset = distance.argmin(1), distance.min(1)
    matched = offset < 2
    assert matched.mean() >= 0.9
    assert np.sqrt(np.mean(offset[matched] ** 2)) < 0.3
    ratio = (flux[nearest] / bright[f"FLUX_{band}"])[matched]
    # Kron apertures miss 6 % of a galaxy (Kron 1980; Bertin & Arnouts 1996, fig. 10).
    assert np.median(ratio) == pytest.approx(0.96, abs=0.03)
    assert np.percentile(ratio, [16, 84]) == pytest.approx([0.96, 0.96], abs=0.1)
    # By the header of the image, as a reader of the file gets there.
    header = scene[f"SCI_{band}"].header
    sky = WCS(header).pixel_to_world(found["x"][nearest], found["y"][nearest])
    truth = SkyCoord(bright["RA"], bright["DEC"], unit="deg")
    assert np.median(sky.separation(truth).arcsec[matched]) < 0.3 * 0.2
    magnitude = header["MAGZERO"] - 2.5 * np.log10(flux[nearest][matched])
    assert np.median(magnitude - bright[f"MAG_{band}"][matched]) == pytest.approx(0.04, abs=0.04)


def test_noise_and_sky_are_as_in_the_header(scene):
    for band in "GRI":
        header, background = scene[f"SCI_{band}"].header, sep.Background(image(scene, band))
        assert background.globalrms == pytest.approx(header["SKYSIGMA"], rel=0.05)
        assert background.globalback == pytest.approx(
            header["SKYLEVEL"], abs=0.2 * header["SKYSIGMA"]
        )
