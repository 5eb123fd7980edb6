"""`galgen export realgalaxy`, read back by GalSim."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import galsim
import numpy as np
import pytest
from astropy.io import fits
from typer.testing import CliRunner

from galgen.cli import app
from galgen.data import StampSet
from galgen.errors import (
    CatalogError,
    DataError,
    GalgenWarning,
    InvalidValueError,
    OutputError,
    UnknownCategoryError,
)
from galgen.export.realgalaxy import export_realgalaxy
from tests.catalog.synthetic import accept
from tests.galsim import gaussians
from tests.galsim.gaussians import CROWDED, DARK, FLUX
from tests.real import FIXTURE, run_info, write_real

SCALE = 0.4


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Path:
    return gaussians.write(tmp_path_factory.mktemp("realgalaxy") / "a.fits", SCALE)


@pytest.mark.parametrize("angle", [30, 90])
def test_galaxies_keep_their_shape_when_turned(catalog, tmp_path, angle):
    export_realgalaxy(catalog, tmp_path / "rg.fits")
    real = galsim.RealGalaxyCatalog(str(tmp_path / "rg.fits"))
    seen = galsim.Gaussian(fwhm=0.6)
    galaxy = galsim.RealGalaxy(real, id=1)
    turned = galaxy.rotate(angle * galsim.degrees)
    found = [
        galsim.hsm.FindAdaptiveMom(galsim.Convolve(one, seen).drawImage(nx=96, ny=96, scale=0.4))
        for one in (galaxy, turned)
    ]
    assert found[1].moments_sigma == pytest.approx(found[0].moments_sigma, rel=1e-4)
    assert found[1].observed_shape.e == pytest.approx(found[0].observed_shape.e, abs=1e-3)
    real.close()


def test_galsim_reads_it(catalog, tmp_path):
    done = []
    assert export_realgalaxy(catalog, tmp_path / "rg.fits", progress=done.append) == 7
    assert done == [1, 2, 3, 4, 5, 6, 7]
    accept(tmp_path / "rg.fits")
    real = galsim.RealGalaxyCatalog("rg.fits", dir=str(tmp_path), preload=True)
    assert real.ident == ["0", "1", "2", "3", "4", "5", "7"]  # 6 has no light
    assert set(real.band) == {"r"}
    assert real.weight.tolist() == [1] * 7
    np.testing.assert_allclose(real.pixel_scale, SCALE)
    np.testing.assert_allclose(real.stamp_flux, FLUX[1], rtol=0.02)
    stamps = gaussians.stamps()
    for i in range(5):  # without sky and neighbours, they are what they were
        np.testing.assert_allclose(real.getGalImage(i).array, stamps.pixels[i, ..., 1], atol=1e-3)
    crowded = real.getGalImage(real.ident.index(str(CROWDED))).array
    assert np.abs(crowded[40:50, 45:55]).max() < 0.01 * crowded.max()  # where the star was
    real.close()
    header = fits.getheader(tmp_path / "rg.fits")
    assert header["CREDIT"] == "SDSS, Galaxy Zoo"
    assert header["WTSHA256"] == "0" * 64


def test_words_for_categories_are_understood(catalog, tmp_path):
    with pytest.warns(GalgenWarning, match="'spirals' is no category.*'spiral', is taken"):
        export_realgalaxy(catalog, tmp_path / "a.fits", category="spirals", band="g")
    export_realgalaxy(catalog, tmp_path / "b.fits", category="spiral", band="g")
    ours, plain = (fits.getdata(tmp_path / name, 1)["IDENT"] for name in ("a.fits", "b.fits"))
    assert ours.tolist() == plain.tolist()


def test_galaxies_are_drawn(catalog, tmp_path):
    """Without a PSF to deconvolve, as the stamps show them."""
    export_realgalaxy(catalog, tmp_path / "rg.fits", category="spiral", n=3, band="g")
    real = galsim.RealGalaxyCatalog(str(tmp_path / "rg.fits"))
    assert real.ident == ["0", "2", "4"]
    assert set(real.cat["CATEGORY_NAME"]) == {"barred-spiral", "spiral", "loose-spiral"}
    galaxy = galsim.RealGalaxy(real, id="2", flux=100.0)
    psf = galsim.Gaussian(fwhm=1.0)
    image = galsim.Convolve(galaxy, psf).drawImage(nx=128, ny=128, scale=0.2, method="no_pixel")
    assert image.array.sum() == pytest.approx(100, rel=2e-3)
    found = galsim.hsm.FindAdaptiveMom(image)
    r50 = 5.0 * 1.1 * SCALE  # in g; its pixels widen it
    sigma2 = np.array([1 / 0.8, 0.8]) * (gaussians.SIGMA * r50) ** 2 + SCALE**2 / 12 + psf.sigma**2
    assert found.moments_sigma * 0.2 == pytest.approx(sigma2.prod() ** 0.25, rel=5e-3)
    real.close()


def one_galaxy(image: np.ndarray, n: int = 1) -> StampSet:
    pixels = np.repeat(image[None, ..., None], n, 0).astype(np.float32)
    ids = np.array([str(i) for i in range(n)])
    return StampSet(pixels, "flux", ("r",), np.zeros(n, np.int16), ids, pixel_scale=SCALE)


def test_the_psf_of_the_training_images_is_deconvolved(tmp_path):
    truth = galsim.Gaussian(half_light_radius=1.6, flux=1000).shear(g1=0.2, g2=0.1)
    seen = galsim.Convolve(truth, galsim.Moffat(4.765, fwhm=1.4))
    # PSF with pixel, as it says
    stamp = seen.drawImage(nx=65, ny=65, scale=SCALE, method="no_pixel").array
    path = write_real(tmp_path / "a.fits", one_galaxy(stamp))
    export_realgalaxy(path, tmp_path / "rg.fits", psf_fwhm=1.4)
    real = galsim.RealGalaxyCatalog(str(tmp_path / "rg.fits"))
    assert real.getPSFImage(0).array.sum() == pytest.approx(1, rel=1e-5)
    target = galsim.Gaussian(fwhm=1.8)
    drawn, wanted = (
        galsim.Convolve(galaxy, target).drawImage(nx=64, ny=64, scale=0.3).array
        for galaxy in (galsim.RealGalaxy(real, index=0), truth)
    )
    np.testing.assert_allclose(drawn, wanted, atol=0.005 * wanted.max())
    # ... which is no small correction
    blurred = galsim.Convolve(seen, target).drawImage(nx=64, ny=64, scale=0.3).array
    assert np.abs(blurred - wanted).max() > 0.1 * wanted.max()
    real.close()


def test_noise_is_measured_and_can_be_whitened(tmp_path):
    sigma = 0.5
    stamps = one_galaxy(gaussians.stamps().pixels[0, ..., 1], n=4)
    noise = np.random.default_rng(0).normal(0, sigma, stamps.pixels.shape).astype(np.float32)
    path = write_real(tmp_path / "a.fits", replace(stamps, pixels=stamps.pixels + noise))
    export_realgalaxy(path, tmp_path / "rg.fits", psf_fwhm=1.2)
    real = galsim.RealGalaxyCatalog(str(tmp_path / "rg.fits"))
    # From 732 pixels of the border, whose 60 % quantile scatters by 4 %.
    np.testing.assert_allclose(real.variance, sigma**2, rtol=0.25)
    final = galsim.Convolve(
        galsim.RealGalaxy(real, index=0, rng=galsim.BaseDeviate(1)), galsim.Gaussian(fwhm=1.8)
    )
    image = final.drawImage(nx=48, ny=48, scale=SCALE)
    assert image.whitenNoise(final.noise) > 0
    real.close()


def test_magnitudes_where_flux_is_calibrated(tmp_path):
    stamps = gaussians.stamps(SCALE)
    info = replace(run_info(stamps), zero_point=22.5)
    path = write_real(tmp_path / "a.fits", stamps, info=info)
    export_realgalaxy(path, tmp_path / "rg.fits", n=2)
    real = galsim.RealGalaxyCatalog(str(tmp_path / "rg.fits"))
    np.testing.assert_allclose(real.mag, 22.5 - 2.5 * np.log10(FLUX[1]), atol=0.02)
    export_realgalaxy(gaussians.write(tmp_path / "b.fits", SCALE), tmp_path / "rg2.fits", n=2)
    assert np.isnan(galsim.RealGalaxyCatalog(str(tmp_path / "rg2.fits")).mag).all()


def test_command(tmp_path):
    path = gaussians.write(tmp_path / "a.fits")  # without a pixel scale
    out = tmp_path / "rg.fits"
    command = ["export", "realgalaxy", str(path), str(out), "--category", "round"]
    refused = CliRunner().invoke(app, command)
    assert isinstance(refused.exception, InvalidValueError)
    assert "pixel_scale is None" in str(refused.exception)
    done = CliRunner().invoke(app, [*command, "--pixel-scale", "0.396", "--band", "i"])
    assert done.exit_code == 0, done.output
    assert f"{out}: 2 galaxies" in done.output.replace("\n", "")
    assert fits.getdata(out, 1)["PIXEL_SCALE"].tolist() == [0.396, 0.396]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"band": "z"}, r"band is 'z'; allowed: g, r, i"),
        ({"category": "merging"}, r"category is 'merging'; allowed: .*a\.fits"),
        ({"n": 0}, r"n is 0; allowed: 1 or more"),
        ({"pixel_scale": 0.0}, r"pixel_scale is 0.0; allowed: above 0"),
        ({"psf_fwhm": 0.5}, r"psf_fwhm is 0.5; allowed: 0.8 to 6.4 arcsec"),
        ({"psf_fwhm": float("nan")}, r"psf_fwhm is nan"),
    ],
)
def test_what_cannot_be_exported(catalog, tmp_path, options, message):
    with pytest.raises(InvalidValueError, match=message):
        export_realgalaxy(catalog, tmp_path / "rg.fits", **options)
    assert list(tmp_path.iterdir()) == []


def test_other_mistakes(catalog, tmp_path):
    with pytest.raises(UnknownCategoryError, match="spirl"):
        export_realgalaxy(catalog, tmp_path / "rg.fits", category="spirl")
    dark = write_real(tmp_path / "dark.fits", gaussians.stamps(SCALE).select([DARK]))
    with pytest.raises(InvalidValueError, match=r"galaxies can be seen in .*dark\.fits"):
        export_realgalaxy(dark, tmp_path / "rg.fits")
    (tmp_path / "rg.fits").touch()
    with pytest.raises(OutputError, match="exists"):
        export_realgalaxy(catalog, tmp_path / "rg.fits")
    with pytest.raises(DataError, match=r"none\.fits"):
        export_realgalaxy(tmp_path / "none.fits", tmp_path / "b.fits")
    with pytest.raises(CatalogError, match="galaxies64"):
        export_realgalaxy(FIXTURE, tmp_path / "b.fits")


def test_bytes_do_not_depend_on_the_time(catalog, tmp_path):
    found = []
    for _ in range(2):
        export_realgalaxy(catalog, tmp_path / "rg.fits", overwrite=True)
        found.append((tmp_path / "rg.fits").read_bytes())
        time.sleep(1.1)  # astropy's comments of checksums have seconds
    assert found[0] == found[1]
    accept(tmp_path / "rg.fits")
