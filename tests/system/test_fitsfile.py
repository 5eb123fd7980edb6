"""Headers that say sizes which no data have, in every reader of FITS: an error, or an answer."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galgen.catalog import CatalogFile, verify, write_catalog
from galgen.catalog.convert.compress import compress_catalog
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.catalog.format.hdus import raw_hdus
from galgen.catalog.format.index import read_index
from galgen.data import open_stamps
from galgen.errors import DataError, GalgenError
from galgen.request.table import InputTable
from galgen.scene.psf import parse_psf
from galgen.system.fitsfile import open_fits
from tests.catalog.synthetic import make_batch, run_info
from tests.hostile import fits_header
from tests.patience import patience

SIZES = ("NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "PCOUNT", "GCOUNT", "BITPIX", "TFIELDS")
OF_TILES = ("ZNAXIS", "ZNAXIS1", "ZNAXIS3", "ZTILE1", "ZBITPIX")
VALUES = (-1, -(10**4), -(10**9), 10**9, 10**19, -(10**19), "'x'", "1.5")


def _table(path: Path) -> None:
    for name in InputTable(path).names:
        InputTable(path).raw(name)


def _cat(path: Path) -> None:
    concatenate_catalogs([path.with_name("other.fits"), path], path.with_name("o.fits"))


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "catalogue": ("cat.fits", lambda path: CatalogFile(path).close()),
    "verify": ("cat.fits", verify),
    "verify, compressed": ("cat.fits.fz", verify),
    "verify, an index": ("split.fits", verify),
    "cat": ("cat.fits", _cat),
    "HDUs": ("cat.fits.fz", raw_hdus),
    "index": ("split.fits", read_index),
    "training": ("cat.fits", open_stamps),
    "training, compressed": ("cat.fits.fz", open_stamps),
    "table": ("table.fits", _table),
    "PSF": ("psf.fits", lambda path: parse_psf(str(path), 0.2)),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files that can be read."""
    folder = tmp_path_factory.mktemp("good")
    info = run_info(4, height=8, width=8)
    write_catalog(folder / "cat.fits", [make_batch(info)], info)
    other = run_info(4, height=8, width=8, seed=2)
    write_catalog(folder / "other.fits", [make_batch(other)], other)
    compress_catalog(folder / "cat.fits", None, lossless=True)
    parts = run_info(4, height=8, width=8, per_file=2)
    write_catalog(folder / "split.fits", [make_batch(parts)], parts)
    binary = fits.BinTableHDU.from_columns([fits.Column("RA", "D", array=np.arange(3.0))])
    text = fits.TableHDU.from_columns([fits.Column("RA", "F8.3", array=np.arange(3.0))])
    fits.HDUList([fits.PrimaryHDU(), text, binary]).writeto(folder / "table.fits")
    image = fits.ImageHDU(np.ones((3, 3)))
    fits.HDUList([fits.PrimaryHDU(), binary, image]).writeto(folder / "psf.fits")
    return folder


def _said(read: Callable[[Path], object], path: Path) -> str | None:
    """What is wrong with a file; None if it is read."""
    try:
        with patience():
            report = read(path)
    except GalgenError as error:
        return str(error)
    return None if getattr(report, "ok", True) else report.problems[0]


@pytest.mark.parametrize("reader", READERS)
def test_sizes_that_no_data_have(good: Path, tmp_path: Path, reader: str) -> None:
    name, read = READERS[reader]
    folder = shutil.copytree(good, tmp_path / "here")
    path = folder / name
    data = path.read_bytes()
    assert _said(read, path) is None
    with fits.open(path, disable_image_compression=True) as hdus:
        starts = [hdu.fileinfo()["hdrLoc"] for hdu in hdus]
        headers = [hdu.header.copy() for hdu in hdus]
    refused = tried = 0
    for start, header in zip(starts, headers, strict=True):
        for key in (key for key in (*SIZES, *OF_TILES) if key in header):
            at = data.index(f"{key:8}=".encode(), start)
            for value in VALUES:
                card = f"{key:8}= {value:>20}".encode().ljust(80)
                path.write_bytes(data[:at] + card + data[at + 80 :])
                tried += 1
                (folder / "o.fits").unlink(missing_ok=True)
                said = _said(read, path)
                refused += said is not None
                assert len(said or "") < 1000, (start, card)
    assert refused > tried / 2


@pytest.mark.parametrize(
    ("cards", "match"),
    [
        ({"NAXIS": 10**9}, "NAXIS = 1000000000; allowed: 0 to 999"),
        ({"NAXIS": 1, "NAXIS1": -2880}, "NAXIS1 = -2880"),
        ({"NAXIS": 2, "NAXIS1": 10**18, "NAXIS2": 10**18}, "bytes of data"),
        ({"NAXIS": 1, "naxis1": 0, "NAXIS1": -1}, "two cards NAXIS1"),
        ({"BITPIX": -(10**6), "NAXIS": 0}, "BITPIX"),
        ({"NAXIS": 2, "NAXIS1": 0, "NAXIS2": 9, "GROUPS": True}, "random groups"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, cards: dict, match: str) -> None:
    path = tmp_path / "a.fits"
    path.write_bytes(fits_header(SIMPLE=True, **{"BITPIX": 8} | cards))
    with pytest.raises(DataError, match=match):
        open_fits(path)


@pytest.mark.parametrize("cut", [0, 1, 79, 2879, 2880, 2881, 5760])
def test_what_ends_early_is_left_to_astropy(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.fits"
    good = fits_header(SIMPLE=True, BITPIX=8, NAXIS=1, NAXIS1=9) + bytes(2880)
    path.write_bytes(good[:cut])
    if cut < 6:
        with pytest.raises(DataError, match="does not begin with SIMPLE"):
            open_fits(path)
        return
    with open_fits(path) as file:
        assert file.tell() == 0
