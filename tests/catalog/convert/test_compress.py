from __future__ import annotations

import warnings
from pathlib import Path

import fitsio
import numpy as np
import pytest
from astropy.io import fits

from galgen.catalog import CatalogFile, verify, write_catalog
from galgen.catalog.convert import compress, decompress
from galgen.catalog.convert.compress import compress_catalog
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.catalog.convert.decompress import decompress_catalog
from galgen.catalog.format import hdus as hdus_module
from galgen.catalog.format import tiled
from galgen.data import open_stamps
from galgen.errors import CatalogError, DataError, InvalidValueError, OutputError
from galgen.export.hdf5 import export_hdf5
from galgen.pictures.sheet import preview
from tests.catalog.synthetic import accept, make_batch, run_info


def write(path: Path, info, stamps_nbhw: np.ndarray | None = None) -> Path:
    batch = make_batch(info)
    if stamps_nbhw is not None:
        batch.stamps_nbhw[:] = stamps_nbhw
    return write_catalog(path, [batch], info)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "cat.fits", run_info(20, height=16, width=24))


@pytest.mark.parametrize(
    "info",
    [
        run_info(20, height=16, width=24),
        run_info(7),  # 5 x 6 pixels: less than a block of Rice
        run_info(1, ("Y",), height=33, width=1),  # one stamp of one band, one column wide
    ],
    ids=["usual", "small", "single"],
)
def test_without_loss_the_very_file_comes_back(tmp_path, info):
    path, done = write(tmp_path / "cat.fits", info), []
    before = path.read_bytes()
    result = compress_catalog(path, lossless=True, progress=done.append)
    assert result.path == tmp_path / "cat.fits.fz"
    assert done[-1] == info.n * len(info.bands)
    accept(result.path)
    assert verify(result.path).problems == ()
    path.unlink()
    assert decompress_catalog(result.path, progress=done.append) == path
    assert path.read_bytes() == before
    assert "every bit kept" in str(result)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cat.fits", "cat.fits.fz"]


@pytest.mark.parametrize("quantize", [4.0, 16.0])
def test_every_reader_finds_the_flux_within_half_a_step(tmp_path, quantize):
    """Independent: CFITSIO, astropy and the definition of the step by noise and `quantize`."""
    info = run_info(60, height=64, width=64)
    path = write(tmp_path / "cat.fits", info)  # noise of unit variance
    result = compress_catalog(path, quantize=quantize)
    accept(result.path)
    wanted = make_batch(info).stamps_nbhw
    with fits.open(result.path) as hdus, fitsio.FITS(result.path) as file:
        by_astropy = np.stack([hdus[f"STAMPS_{b}"].data for b in "GRI"], axis=1)
        by_cfitsio = np.stack([file[f"STAMPS_{b}"][:, :, :] for b in "GRI"], axis=1)
        assert hdus["STAMPS_G"].header["BUNIT"] == "adu"
        assert hdus["STAMPS_G"].header["QLEVEL"] == quantize
    with CatalogFile(result.path) as catalog:
        np.testing.assert_array_equal(catalog.stamps(), by_cfitsio)
    np.testing.assert_allclose(by_astropy, by_cfitsio, atol=1e-6)
    error, step = by_astropy - wanted, 1 / quantize
    assert np.abs(error).max() < 0.5 * step * 1.3  # noise is measured per stamp
    assert error.std() == pytest.approx(step / 12**0.5, rel=0.05)
    assert abs(error.mean()) < 4 * error.std() / error.size**0.5
    assert result.rms_error["r"] == pytest.approx(error[:, 1].std(), rel=1e-3)
    assert result.largest_error["i"] == pytest.approx(np.abs(error[:, 2]).max(), rel=1e-3)
    # Bands have unlike dither, stamps too.
    assert abs(np.corrcoef(error[:, 0].ravel(), error[:, 1].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(error[0].ravel(), error[1].ravel())[0, 1]) < 0.05
    assert result.before / result.after > 3


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("chunk", [1, 7])
def test_bytes_do_not_depend_on_the_pieces(path, tmp_path, monkeypatch, lossless, chunk):
    whole = compress_catalog(path, tmp_path / "whole.fz", lossless=lossless)
    back = decompress_catalog(whole.path, tmp_path / "whole.fits")
    monkeypatch.setattr(compress, "_CHUNK", chunk)
    monkeypatch.setattr(decompress, "_CHUNK", chunk)
    monkeypatch.setattr(hdus_module, "_CHUNK_BYTES", 1000)  # less than a stamp
    pieces = compress_catalog(path, tmp_path / "pieces.fz", lossless=lossless)
    assert pieces.path.read_bytes() == whole.path.read_bytes()
    again = decompress_catalog(pieces.path, tmp_path / "pieces.fits")
    assert again.read_bytes() == back.read_bytes()
    accept(back)
    assert verify(back).ok
    with CatalogFile(back) as file, CatalogFile(whole.path) as compressed:
        np.testing.assert_array_equal(file.stamps(), compressed.stamps())
        assert ("QLEVEL" in file.hdus["STAMPS_R"].header) is not lossless


@pytest.mark.parametrize(
    "index",
    [
        slice(None),
        slice(2, 5),
        slice(-2, None),
        slice(5, 2),
        slice(1, 9, 3),
        slice(None, None, -7),
        np.array([6, 0, 0, -3]),
        np.arange(20) % 7 == 2,
        np.array([], int),
        4,
        -1,
    ],
    ids=str,
)
def test_stamps_of_some_galaxies(path, index):
    compress_catalog(path, lossless=True)
    with CatalogFile(path) as plain, CatalogFile(f"{path}.fz") as compressed:
        assert (plain.compressed, compressed.compressed) == (False, True)
        wanted, found = plain.stamps(index), compressed.stamps(index)
    np.testing.assert_array_equal(found, wanted)
    assert found.dtype == np.dtype(np.float32)


def test_rows_that_are_not_there(path):
    compress_catalog(path)
    with CatalogFile(f"{path}.fz") as file, pytest.raises(IndexError, match="20"):
        file.stamps(20)


def test_all_that_reads_catalogues_reads_it(path, tmp_path):
    """Not the training reader alone, and with every bit: what is derived must be equal."""
    zipped = compress_catalog(path, lossless=True).path
    for name, source in (("a", path), ("b", zipped)):
        preview(source, tmp_path / f"{name}.png")
        export_hdf5(source, tmp_path / f"{name}.h5")
    for kind in ("png", "h5"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    np.testing.assert_array_equal(open_stamps(zipped).pixels, open_stamps(path).pixels)
    with CatalogFile(path) as plain, CatalogFile(zipped) as compressed:
        assert plain.rows.tobytes() == compressed.rows.tobytes()
        assert plain.info == compressed.info
        for a, b in zip(plain.batches(6), compressed.batches(6), strict=True):
            np.testing.assert_array_equal(a.stamps_nbhw, b.stamps_nbhw)


def test_stamps_without_noise(tmp_path):
    """CFITSIO cannot quantise them and keeps their bits, in another column."""
    info = run_info(6, height=32, width=32)
    stamps = np.random.default_rng(0).normal(size=(6, 3, 32, 32)).astype(np.float32)
    stamps[2], stamps[4, 1] = 0, 3.25
    result = compress_catalog(write(tmp_path / "cat.fits", info, stamps))
    accept(result.path)
    assert verify(result.path).ok
    with CatalogFile(result.path) as file, fits.open(result.path) as hdus:
        np.testing.assert_array_equal(file.stamps(2), 0)
        np.testing.assert_array_equal(hdus["STAMPS_R"].section[4], 3.25)


def test_integers_lose_nothing(tmp_path):
    """As catalogues with scaled integers will hold them."""
    counts = np.random.default_rng(0).normal(0, 100, (30, 16, 15)).astype(np.int16)
    image = fits.ImageHDU(counts, name="STAMPS_G")
    image.header["BSCALE"], image.header["BZERO"] = 1e-3, 0.25
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "int.fits", checksum=True)
    primary, hdu = hdus_module.raw_hdus(tmp_path / "int.fits")
    with (tmp_path / "int.fz").open("wb+") as file:
        file.writelines(hdus_module.data_of(tmp_path / "int.fits", primary, whole=True))
        codec = tiled.Codec(16, None)
        assert sum(compress._compress_hdu(file, tmp_path / "int.fits", hdu, codec)) == 30
    accept(tmp_path / "int.fz")
    with fits.open(tmp_path / "int.fz", do_not_scale_image_data=True) as hdus:
        np.testing.assert_array_equal(hdus[1].data, counts)
    with fitsio.FITS(tmp_path / "int.fz") as file:
        np.testing.assert_allclose(file[1][:, :, :], counts * 1e-3 + 0.25, rtol=1e-6)
        header = tiled.image_header(hdus_module.raw_hdus(tmp_path / "int.fz")[1].header)
        data = b"".join(s.tobytes() for s in decompress._image_data(file[1], header))
    assert data == counts.astype(">i2").tobytes()
    assert (header["BSCALE"], header["BITPIX"]) == (1e-3, 16)
    assert (tmp_path / "int.fz").stat().st_size < (tmp_path / "int.fits").stat().st_size


def test_catalogues_put_together(path, tmp_path):
    other = write(tmp_path / "other.fits", run_info(5, height=16, width=24, seed=3))
    concatenate_catalogs([path, other], tmp_path / "both.fits")
    zipped = compress_catalog(tmp_path / "both.fits", lossless=True).path
    assert verify(zipped).ok
    with CatalogFile(zipped) as file:
        assert [part.n for part in file.parts] == [20, 5]
    back = decompress_catalog(zipped, tmp_path / "back.fits")
    assert back.read_bytes() == (tmp_path / "both.fits").read_bytes()
    with pytest.raises(InvalidValueError, match="galgen compress --decompress"):
        concatenate_catalogs([path, zipped], tmp_path / "no.fits")


@pytest.mark.parametrize("lossless", [False, True])
def test_any_flipped_bit_is_found(path, lossless):
    """Descriptors and compressed pixels too: damage is reported, never raised or passed over."""
    zipped = compress_catalog(path, lossless=lossless).path
    good = zipped.read_bytes()
    generator = np.random.default_rng(0)
    for byte, bit in zip(generator.integers(len(good), size=120), range(120), strict=True):
        data = bytearray(good)
        data[byte] ^= 1 << bit % 8
        zipped.write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert not verify(zipped).ok, (byte, bit % 8)


def test_damage_is_not_given_a_good_checksum(path, tmp_path):
    zipped = compress_catalog(path, tmp_path / "good.fz").path
    for source, act in ((path, compress_catalog), (zipped, decompress_catalog)):
        hdu = hdus_module.raw_hdus(source)[3]
        data = bytearray(source.read_bytes())
        data[hdu.stop - 2880] ^= 1
        source.write_bytes(data)
        with pytest.raises(CatalogError, match="CHECKSUM of STAMPS_R does not hold"):
            act(source, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cat.fits", "good.fz"]


def test_pixels_that_are_not_finite(tmp_path):
    info = run_info(3, height=8, width=8)
    stamps = np.ones((3, 3, 8, 8), np.float32)
    stamps[1, 2, 3, 4] = np.nan
    path = write(tmp_path / "cat.fits", info, stamps)
    with pytest.raises(CatalogError, match="STAMPS_I has pixels that are not finite"):
        compress_catalog(path)
    assert [p.name for p in tmp_path.iterdir()] == ["cat.fits"]


def test_what_is_refused(path, tmp_path):
    zipped = compress_catalog(path).path
    before = zipped.read_bytes()
    for quantize in (0, 0.5, 1001, float("nan")):
        with pytest.raises(InvalidValueError, match="1 to 1000"):
            compress_catalog(path, tmp_path / "out", quantize=quantize)
    with pytest.raises(OutputError, match="exists"):
        compress_catalog(path)
    with pytest.raises(InvalidValueError, match="not compressed"):
        compress_catalog(zipped, tmp_path / "out")
    with pytest.raises(InvalidValueError, match="a compressed one"):
        decompress_catalog(path, tmp_path / "out")
    with pytest.raises(InvalidValueError, match="a name"):
        decompress_catalog(path)
    with pytest.raises(DataError, match="cannot be opened"):
        compress_catalog(tmp_path / "missing.fits")
    assert zipped.read_bytes() == before
    assert compress_catalog(path, overwrite=True, lossless=True).path == zipped
    assert zipped.read_bytes() != before
