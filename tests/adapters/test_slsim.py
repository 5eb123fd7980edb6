"""slsim takes our galaxies as its interpolated sources, and lenses them."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

with warnings.catch_warnings():  # of what it imports
    warnings.simplefilter("ignore")
    pytest.importorskip("slsim")
    pytest.importorskip("lenstronomy")
    pytest.importorskip("slsim.Lenses.lens", exc_type=ImportError)

from astropy.cosmology import FlatLambdaCDM
from slsim.Deflectors.deflector import Deflector
from slsim.ImageSimulation.image_simulation import sharp_image
from slsim.Lenses.lens import Lens
from slsim.Sources.source import Source

from galgen.adapters.slsim import interpolated
from galgen.catalog import CatalogFile
from galgen.errors import InvalidValueError
from tests.adapters.sky import Moments
from tests.galsim import gaussians
from tests.galsim.gaussians import BANDS, SHAPES, SIGMA

# slsim calls astropy and lenstronomy in ways that they advise against.
pytestmark = pytest.mark.filterwarnings("ignore")

SCALE, ZERO = 0.1, 25.0
COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.3)
KINDS = {"mag_g", "mag_r", "mag_i"}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    path: Path = tmp_path_factory.mktemp("slsim") / "a.fits"
    with CatalogFile(gaussians.write(path, SCALE, zero_point=ZERO)) as file:
        yield file


def source(catalog: CatalogFile, row: int, redshift: float = 1.2) -> Source:
    given = interpolated(catalog, row, redshift)
    return Source(extended_source_type="interpolated", cosmo=COSMOLOGY, **given)


@pytest.mark.parametrize("row", [0, 1, 2, 3])
@pytest.mark.parametrize("redshift", [0.3, 2.0])
def test_size_angle_and_magnitudes(catalog, row, redshift):
    made = source(catalog, row, redshift)
    assert made.redshift == redshift
    r50, q, angle, *_ = SHAPES[row]
    assert made.angular_size == pytest.approx(r50 * SCALE, rel=0.05)
    (model,), (light,) = made.kwargs_extended_light(band="r")
    assert model == "INTERPOL"
    del light["magnitude"]
    found = Moments(light | {"amp": 1.0, "scale": float(light["scale"])})
    assert found.sigma == pytest.approx(SIGMA * r50 * SCALE, rel=0.03)  # the pixels widen it
    assert np.hypot(found.east, found.north) < 0.02 * SCALE
    e1, e2 = made.ellipticity  # slsim's: of position angles from north through east
    assert (1 - np.hypot(e1, e2)) / (1 + np.hypot(e1, e2)) == pytest.approx(q, abs=0.02)
    if q < 1:
        for away in (found.angle - (angle - 90), np.degrees(np.arctan2(e2, e1)) / 2 - angle + 90):
            assert (away + 90) % 180 - 90 == pytest.approx(0, abs=0.5)
    for band in BANDS:
        flux = float(catalog.column(f"FLUX_{band.upper()}")[row])
        wanted = ZERO - 2.5 * np.log10(flux)
        assert made.extended_source_magnitude(band) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.skipif(
    tuple(map(int, version("lenstronomy").split(".")[:2])) >= (1, 14),
    reason="slsim 0.1.1 calls lenstronomy by names of arguments that 1.14 has changed",
)
def test_a_lensed_galaxy(catalog):
    """As an image of slsim; in every band it is magnified as much."""
    galaxy = {"stellar_mass": 1e11, "angular_size": 0.8, "n_sersic": 4.0, "vel_disp": 250.0}
    shape = {"e1_mass": 0.1, "e2_mass": 0.0, "e1_light": 0.1, "e2_light": 0.0}
    mags = dict.fromkeys(KINDS, 19.0)
    deflector = Deflector(deflector_type="EPL_SERSIC", z=0.5, **galaxy, **shape, **mags)
    made = source(catalog, 1)
    lens = Lens(source_class=made, deflector_class=deflector, cosmo=COSMOLOGY)
    magnified = []
    for band in BANDS:
        image_hw = sharp_image(lens, band, 27.0, 0.05, 200, with_deflector=False)
        unlensed = 10 ** (0.4 * (27 - made.extended_source_magnitude(band)))
        magnified.append(image_hw.sum() / unlensed)
    assert magnified[1] > 3
    np.testing.assert_allclose(magnified, magnified[1], rtol=0.15)  # sizes differ by 10 %


def test_what_is_missing(tmp_path, catalog):
    with CatalogFile(gaussians.write(tmp_path / "a.fits")) as bare:
        with pytest.raises(InvalidValueError, match=r"pixel_scale is None"):
            interpolated(bare, 0, 1.0)
        with pytest.raises(InvalidValueError, match=r"mag_zero is None"):
            interpolated(bare, 0, 1.0, pixel_scale=0.1)
        assert interpolated(bare, 0, 1.0, pixel_scale=0.1, mag_zero=25.0)["z"] == 1.0
    with pytest.raises(InvalidValueError, match=r"band is 'z'"):
        interpolated(catalog, 0, 1.0, "z")
