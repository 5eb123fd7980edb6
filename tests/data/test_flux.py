from __future__ import annotations

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from galgen import categories
from galgen.data import open_stamps
from galgen.errors import DataError, InvalidValueError

N, HEIGHT, WIDTH = 5, 8, 6


def flux_nbhw(n_bands: int) -> np.ndarray:
    shape = (N, n_bands, HEIGHT, WIDTH)
    return np.random.default_rng(10).normal(size=shape).astype(np.float32)


def write_galgen(path, bands=("g", "r", "i"), catalog=None, flux=None, **cards):
    """The layout galgen writes: CATALOG and one STAMPS_<BAND> cube per band."""
    flux = flux_nbhw(len(bands)) if flux is None else flux
    primary = fits.PrimaryHDU()
    primary.header["BANDS"] = ",".join(bands)
    for key, value in cards.items():
        primary.header[key] = value
    if catalog is None:
        catalog = {
            "GALAXY_ID": np.arange(N, dtype=np.int64) + 2**40,
            "CATEGORY": np.array([2, 7, 7, 0, 13], np.int16),
            "CATEGORY_NAME": [
                "round-smooth",
                "barred-spiral",
                "barred-spiral",
                "galaxy",
                "merging",
            ],
            "REDSHIFT": np.array([0.1, 0.2, np.nan, 0.3, 0.4], np.float32),
        }
    hdus = [primary, fits.BinTableHDU(Table(catalog), name="CATALOG")]
    for band, cube in zip(bands, flux.swapaxes(0, 1), strict=True):
        hdu = fits.ImageHDU(cube, name=f"STAMPS_{band.upper()}")
        hdu.header["BUNIT"] = "nJy"
        hdus.append(hdu)
    fits.HDUList(hdus).writeto(path)
    return flux


@pytest.mark.parametrize("bands", [("r",), ("g", "r", "i"), ("u", "g", "r", "i", "z", "Y")])
def test_galgen_fits(tmp_path, bands):
    flux = write_galgen(tmp_path / "out.fits", bands, PIXSCALE=0.2)
    stamps = open_stamps(tmp_path / "out.fits")
    assert stamps.native == "flux"
    assert stamps.bands == bands
    np.testing.assert_array_equal(stamps.pixels, flux.transpose(0, 2, 3, 1))
    assert stamps.pixels.dtype == np.dtype(np.float32)  # native byte order, which torch needs
    assert stamps.native_float().shape == (N, HEIGHT, WIDTH, len(bands))
    assert stamps.category.tolist() == [2, 7, 7, 0, 13]
    assert stamps.ids[0] == str(2**40)
    assert stamps.unit == "nJy"
    assert stamps.pixel_scale == 0.2
    assert stamps.lupton is None
    np.testing.assert_allclose(stamps.columns["redshift"], [0.1, 0.2, np.nan, 0.3, 0.4], rtol=1e-6)


def test_stamps_are_taken_in_the_order_of_the_bands_card(tmp_path):
    flux = write_galgen(tmp_path / "out.fits", ("i", "g", "r"))
    with fits.open(tmp_path / "out.fits", "update") as hdus:
        hdus[0].header["BANDS"] = "gri"
    stamps = open_stamps(tmp_path / "out.fits")
    assert stamps.bands == ("g", "r", "i")
    np.testing.assert_array_equal(stamps.pixels[..., 0], flux[:, 1])
    assert open_stamps(tmp_path / "out.fits", bands=("r", "i")).bands == ("r", "i")
    with pytest.raises(DataError, match="STAMPS_Z"):
        open_stamps(tmp_path / "out.fits", bands=("g", "z"))


@pytest.mark.parametrize(("fluxcal", "lupton"), [("RGBINV", "sdss"), ("LINEAR", None)])
def test_flux_from_inverted_images_keeps_its_stretch(tmp_path, fluxcal, lupton):
    write_galgen(tmp_path / "out.fits", FLUXCAL=fluxcal, LUPTON="sdss")
    assert open_stamps(tmp_path / "out.fits").lupton == lupton


def test_category_codes_without_names(tmp_path):
    catalog = {"GALAXY_ID": np.arange(N), "CATEGORY": np.array([1, 2, 3, 4, 5], np.int16)}
    write_galgen(tmp_path / "out.fits", catalog=catalog)
    assert open_stamps(tmp_path / "out.fits").category.tolist() == [1, 2, 3, 4, 5]


def test_compressed_fits(tmp_path):
    flux = write_galgen(tmp_path / "out.fits")
    with fits.open(tmp_path / "out.fits") as hdus:
        packed = [
            fits.CompImageHDU(hdu.data, hdu.header, compression_type="GZIP_2", quantize_level=0)
            if hdu.name.startswith("STAMPS")
            else hdu
            for hdu in hdus
        ]
        fits.HDUList(packed).writeto(tmp_path / "out.fits.fz")
        hdus.writeto(tmp_path / "out.fits.gz")
    for name in ("out.fits.fz", "out.fits.gz"):
        stamps = open_stamps(tmp_path / name)
        np.testing.assert_array_equal(stamps.pixels, flux.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("card", ["g,r", "g r", "gr"])
def test_generic_fits(tmp_path, card):
    flux = flux_nbhw(2)
    fits.PrimaryHDU(flux.astype(np.float64), fits.Header({"BANDS": card})).writeto(
        tmp_path / "sim.fits"
    )
    stamps = open_stamps(tmp_path / "sim.fits")
    assert stamps.bands == ("g", "r")
    np.testing.assert_array_equal(stamps.pixels, flux.transpose(0, 2, 3, 1))
    assert stamps.ids.tolist() == [f"sim-{row}" for row in range(N)]
    assert set(stamps.category) == {categories.get("galaxy").code}
    assert stamps.unit == ""
    assert stamps.pixel_scale is None


def test_generic_fits_needs_band_names(tmp_path):
    fits.PrimaryHDU(flux_nbhw(2)).writeto(tmp_path / "sim.fits")
    with pytest.raises(DataError, match=r"sim\.fits: does not name its bands"):
        open_stamps(tmp_path / "sim.fits")
    assert open_stamps(tmp_path / "sim.fits", bands=("Y", "J")).bands == ("Y", "J")
    with pytest.raises(DataError, match=r"\(5, 2, 8, 6\)"):
        open_stamps(tmp_path / "sim.fits", bands=("Y", "J", "H"))


def write_hdf5(path, attrs=None, **datasets):
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
        file.attrs.update({"bands": ["g", "r"]} if attrs is None else attrs)


def test_hdf5(tmp_path):
    flux = flux_nbhw(2)
    write_hdf5(
        tmp_path / "sim.h5",
        {"bands": ["g", "r"], "unit": "MJy/sr", "pixel_scale": 0.031},
        flux=flux.astype(">f8"),
        category=["round", "cigar", "disk/spiral/barred", "merging", "unlabelled"],
        id=np.array([b"TNG1", b"TNG2", b"TNG3", b"TNG4", b"TNG5"]),
        group=["halo1", "halo1", "halo2", "halo3", "halo4"],
        redshift=np.arange(5.0),
    )
    stamps = open_stamps(tmp_path / "sim.h5", 2)
    assert stamps.bands == ("g", "r")
    # 8 x 6 pixels: the central 6 x 6, summed 3 x 3 so that flux is conserved.
    blocks = flux[:, :, 1:7].reshape(N, 2, 2, 3, 2, 3).astype(np.float64).sum((3, 5))
    np.testing.assert_allclose(stamps.pixels, blocks.transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-5)
    assert stamps.pixel_scale == pytest.approx(0.093)
    assert stamps.unit == "MJy/sr"
    assert stamps.ids.tolist() == ["TNG1", "TNG2", "TNG3", "TNG4", "TNG5"]
    assert stamps.group.tolist() == ["halo1", "halo1", "halo2", "halo3", "halo4"]
    assert stamps.category.tolist() == [2, 4, 7, 13, 0]
    np.testing.assert_array_equal(stamps.columns["redshift"], np.arange(5.0))


def test_hdf5_attributes_of_the_data_set(tmp_path):
    write_hdf5(tmp_path / "sim.h5", {}, flux=flux_nbhw(1), category=np.array([2, 3, 4, 5, 6]))
    with pytest.raises(DataError, match=r"sim\.h5: does not name its bands"):
        open_stamps(tmp_path / "sim.h5")
    with h5py.File(tmp_path / "sim.h5", "a") as file:
        file["flux"].attrs["bands"] = "F814W"  # one band, not five
    stamps = open_stamps(tmp_path / "sim.h5")
    assert stamps.bands == ("F814W",)
    assert stamps.category.tolist() == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("datasets", "match"),
    [
        ({"flux": flux_nbhw(2).transpose(0, 2, 3, 1)}, "transpose"),
        ({"flux": flux_nbhw(3)}, r"\(5, 3, 8, 6\)"),
        ({"flux": flux_nbhw(2)[:, 0]}, r"\(5, 8, 6\)"),
        ({"pixels": flux_nbhw(2)}, "expected 'flux'"),
        ({"flux": flux_nbhw(2), "redshift": np.zeros(4)}, "redshift has 4 rows for 5"),
        ({"flux": flux_nbhw(2), "category": ["round"] * 4 + ["S0"]}, "galaxy 'sim-4'.*'S0'"),
        ({"flux": flux_nbhw(2), "category": [0, 1, 2, 3, 99]}, "galaxy 'sim-4'.*99"),
        ({"flux": flux_nbhw(2), "id": ["a", "b", "c", "d", "a"]}, "'a' appears 2"),
    ],
)
def test_hdf5_that_does_not_fit_is_refused(tmp_path, datasets, match):
    write_hdf5(tmp_path / "sim.h5", **datasets)
    with pytest.raises(DataError, match=rf"sim\.h5: .*{match}"):
        open_stamps(tmp_path / "sim.h5")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_name_the_galaxy(tmp_path, value):
    flux = flux_nbhw(2)
    flux[3, 1, 2, 4] = flux[3, 1, 2, 5] = flux[4, 0, 0, 0] = value
    write_hdf5(tmp_path / "sim.h5", flux=flux)
    write_galgen(tmp_path / "out.fits", ("g", "r"), flux=flux)
    message = r"galaxy '{}' \(row 3\) has 2 pixels .* band r; 2 galaxies"
    with pytest.raises(DataError, match=message.format("sim-3")):
        open_stamps(tmp_path / "sim.h5")
    with pytest.raises(DataError, match=message.format(2**40 + 3)):
        open_stamps(tmp_path / "out.fits", 2)  # before binning spreads them


def test_fits_that_does_not_fit_is_refused(tmp_path):
    write_galgen(tmp_path / "short.fits", catalog={"GALAXY_ID": np.arange(N - 1)})
    with pytest.raises(DataError, match=r"short\.fits: id has 4 rows for 5"):
        open_stamps(tmp_path / "short.fits")
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "image.fits")
    with pytest.raises(DataError, match=r"image\.fits: no stamps found"):
        open_stamps(tmp_path / "image.fits")
    write_galgen(tmp_path / "name.fits", catalog={"CATEGORY_NAME": ["S0"] * N})
    with pytest.raises(DataError, match=r"name\.fits: galaxy 'name-0': category is 'S0'"):
        open_stamps(tmp_path / "name.fits")
    write_galgen(tmp_path / "stretch.fits", FLUXCAL="RGBINV", LUPTON="hst")
    with pytest.raises(InvalidValueError, match="hst"):
        open_stamps(tmp_path / "stretch.fits")


@pytest.mark.parametrize("keep", [0, 1000, 0.5, 0.9])
def test_truncated_fits_is_named(tmp_path, keep):
    path = tmp_path / "out.fits"
    write_galgen(path, flux=np.ones((N, 3, 64, 64), np.float32))
    data = path.read_bytes()
    path.write_bytes(data[: int(keep if keep >= 1 else keep * len(data))])
    with pytest.raises(DataError, match=r"out\.fits: cannot be read as FITS"):
        open_stamps(path)


def test_truncated_hdf5_is_named(tmp_path):
    path = tmp_path / "sim.h5"
    write_hdf5(path, flux=flux_nbhw(2))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"sim\.h5: .*truncated"):
        open_stamps(path)


def test_stamps_that_say_what_they_were_seen_through(tmp_path):
    """No PSF, and no noise of their own; of pixels that are summed, noise is that of the sum."""
    attrs = {"bands": ["g", "r"], "stamp_psf": 0.0, "sky_noise": [0.1, 0.2]}
    write_hdf5(tmp_path / "sim.h5", attrs, flux=flux_nbhw(2))
    stamps = open_stamps(tmp_path / "sim.h5", 2)
    assert stamps.psf_fwhm == 0
    assert stamps.noise == pytest.approx((0.3, 0.6))
    write_hdf5(tmp_path / "seen.h5", {**attrs, "psf": "1.2"}, flux=flux_nbhw(2))
    seen = open_stamps(tmp_path / "seen.h5")
    assert seen.psf_fwhm is None
    assert open_stamps(tmp_path / "sim.h5").noise == pytest.approx((0.1, 0.2))


@pytest.mark.parametrize(
    ("attrs", "match"),
    [
        ({"stamp_psf": -1.0}, "psf_fwhm is -1"),
        ({"stamp_psf": np.inf}, "psf_fwhm is inf"),
        ({"stamp_psf": "round"}, "cannot be read as stamps of flux"),
        ({"sky_noise": [0.1]}, "one per band"),
        ({"sky_noise": [0.1, 0.0]}, "above 0, one per band"),
        ({"sky_noise": "little"}, "cannot be read as stamps of flux"),
    ],
)
def test_what_they_cannot_have_been_seen_through(tmp_path, attrs, match):
    write_hdf5(tmp_path / "sim.h5", {"bands": ["g", "r"], **attrs}, flux=flux_nbhw(2))
    with pytest.raises((DataError, InvalidValueError), match=match):
        open_stamps(tmp_path / "sim.h5")
