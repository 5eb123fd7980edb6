from __future__ import annotations

import warnings
from mmap import mmap
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import QTable

from galgen.catalog import CatalogFile, write_catalog
from galgen.catalog.format.schema import catalog_columns
from galgen.data.flux import read_flux_fits
from galgen.errors import CatalogError, DataError
from galgen.runinfo import RunInfo
from tests.catalog.synthetic import make_batch, run_info


@pytest.fixture
def path(tmp_path: Path) -> Path:
    info = run_info()
    return write_catalog(tmp_path / "cat.fits", [make_batch(info)], info)


CALIBRATED = {
    "flux_unit": "nanomaggy",
    "flux_calibration": "LINEAR",
    "zero_point": 22.5,
    "pixel_scale": 0.2621234567890123,
    "lupton": None,
}


@pytest.mark.parametrize(
    "info",
    [
        run_info(),
        run_info(**CALIBRATED),
        run_info(1, ("Y",), seed=-(2**63), guidance=1 / 3, versions={}),
        run_info(request="it's 'quoted' " * 30),  # quotes where long text is cut into cards
        run_info(request="", model_version=""),
    ],
    ids=["plain", "calibrated", "one band", "quotes", "empty"],
)
def test_provenance_comes_back(tmp_path: Path, info: RunInfo):
    write_catalog(tmp_path / "cat.fits", [make_batch(info)], info)
    with CatalogFile(tmp_path / "cat.fits") as file:
        read = file.info
        assert (len(file), file.bands) == (info.n, info.bands)
    assert read.request == info.request.rstrip()  # FITS does not keep trailing blanks
    assert vars(read) | {"request": ""} == vars(info) | {"request": ""}


def test_a_copy_by_batches_has_the_same_bytes(tmp_path: Path, path: Path):
    with CatalogFile(path) as file:
        copy = write_catalog(tmp_path / "copy.fits", file.batches(2), file.info)
    assert copy.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("unit", ["adu", "nJy", "nanomaggy"])
def test_table_has_units_and_descriptions(tmp_path: Path, unit: str):
    info = run_info(flux_unit=unit)
    batch = make_batch(info)
    write_catalog(tmp_path / "cat.fits", [batch], info)
    with CatalogFile(tmp_path / "cat.fits") as file:
        table = file.table
        snr = file.column("SNR")
    for column in catalog_columns(info.bands, unit):
        assert table[column.name].info.description == column.description
        if column.unit:
            assert table[column.name].unit == units.Unit(column.unit)
            np.testing.assert_array_equal(table[column.name].value, batch.measured[column.name])
    assert table["CATEGORY_NAME"][2] == "round-smooth"
    np.testing.assert_array_equal(table["SNR"], batch.measured["SNR"])  # NaN included
    assert snr.dtype == np.dtype(np.float32)
    assert snr.dtype.isnative


@pytest.mark.parametrize("unit", ["adu", "nJy"])
def test_astropy_reads_units_without_a_warning(tmp_path: Path, unit: str):
    info = run_info(flux_unit=unit)
    write_catalog(tmp_path / "cat.fits", [make_batch(info)], info)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = QTable.read(tmp_path / "cat.fits", hdu="CATALOG")
    for column in catalog_columns(info.bands, unit):
        assert str(table[column.name].unit or "") == column.unit


@pytest.mark.parametrize(
    "index",
    [slice(None), slice(2, 5), slice(-2, None), slice(5, 2), np.array([6, 0, 0, 3]), 4],
    ids=str,
)
def test_stamps_of_some_galaxies(path: Path, index: int | slice | np.ndarray):
    expected = make_batch(run_info()).stamps_nbhw
    with CatalogFile(path) as file:
        stamps = file.stamps(index)
    np.testing.assert_array_equal(stamps, expected[index])
    assert stamps.dtype == np.dtype(np.float32)
    assert stamps.dtype.isnative


def test_stamps_are_not_read_before_they_are_asked_for(path: Path):
    with CatalogFile(path) as file:
        base = file.hdus["STAMPS_G"].data
        while isinstance(base, np.ndarray):
            base = base.base
        assert isinstance(base, mmap)


def test_arrays_outlive_the_file(path: Path):
    with CatalogFile(path) as file:
        stamps, ids = file.stamps(), file.column("GALAXY_ID")
    assert stamps.sum() == pytest.approx(make_batch(run_info()).stamps_nbhw.sum())
    assert ids.tolist() == list(range(7))


def test_the_training_reader_reads_it(tmp_path: Path):
    info = run_info(**CALIBRATED)
    batch = make_batch(info)
    write_catalog(tmp_path / "cat.fits", [batch], info)
    stamps = read_flux_fits(tmp_path / "cat.fits")
    assert (stamps.bands, stamps.unit) == (info.bands, "nanomaggy")
    assert stamps.pixel_scale == info.pixel_scale
    np.testing.assert_array_equal(stamps.pixels, batch.stamps_nbhw.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(stamps.category, batch.category_n)
    assert stamps.ids.tolist() == [str(i) for i in range(7)]


# Files that are not what they should be.


@pytest.mark.parametrize("name", ["missing.fits", "."])
def test_no_file(tmp_path: Path, name: str):
    with pytest.raises(DataError, match=r"cannot be opened|is a folder, not a file"):
        CatalogFile(tmp_path / name)


def test_other_files(tmp_path: Path):
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("galaxies\n" * 1000)
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "image")
    for name, match in (("empty", "FITS"), ("text", "FITS"), ("image", "not a galgen catalogue")):
        with pytest.raises(CatalogError, match=match):
            CatalogFile(tmp_path / name)


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99999])
def test_truncated_files(path: Path, fraction: float):
    data = path.read_bytes()
    path.write_bytes(data[: int(fraction * len(data))])
    with pytest.raises(CatalogError, match=r"cat\.fits"):
        CatalogFile(path)


def test_a_file_that_ends_between_two_extensions(path: Path):
    with fits.open(path) as hdus:
        end = hdus["STAMPS_I"].fileinfo()["hdrLoc"]
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(CatalogError, match=r"expected .*STAMPS_I.*truncated"):
        CatalogFile(path)


def reshaped(hdus: fits.HDUList, name: str, cut: tuple) -> None:
    hdus[name].data = hdus[name].data[cut]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda hdus: hdus[0].header.update(FMTVERS=99), "Update galgen"),
        (lambda hdus: hdus[0].header.pop("SAMPLER"), "SAMPLER"),
        (lambda hdus: hdus[0].header.update(NGAL=6), "NGAL is 6"),
        (lambda hdus: hdus[0].header.update(BANDS="g,r,z"), "STAMPS_Z"),
        (lambda hdus: hdus["CATALOG"].columns.change_name("SNR", "S_N"), "lacks columns.*SNR"),
        (lambda hdus: reshaped(hdus, "CATALOG", slice(6)), "CATALOG has 6 galaxies; NGAL is 7"),
        (lambda hdus: reshaped(hdus, "STAMPS_I", slice(6)), "STAMPS_I has 6 galaxies; NGAL is 7"),
        (lambda hdus: reshaped(hdus, "STAMPS_R", np.s_[:, :4]), "STAMPS_R is not float32 of"),
    ],
)
def test_contradictory_files(tmp_path: Path, path: Path, change, match: str):
    with fits.open(path) as hdus:
        change(hdus)
        hdus.writeto(tmp_path / "changed.fits", checksum=True)
    with pytest.raises(CatalogError, match=match):
        CatalogFile(tmp_path / "changed.fits")
