"""What is wrong with the index of a catalogue of several files, or with its files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galgen.catalog import finish, verify, write_catalog
from galgen.catalog.write.writer import CatalogWriter
from tests.catalog.synthetic import make_batch, run_info


def part(path: Path, number: int) -> Path:
    return path.with_name(f"cat.{number:04d}.fits")


def rewrite(path: Path, change: Callable[[fits.HDUList], None]) -> None:
    """Change an index as a program would that knows FITS: with good checksums."""
    with fits.open(path, memmap=False) as hdus:
        change(hdus)
        hdus.writeto(path, overwrite=True, checksum=True)


def keep_rows(rows: slice | list[int]) -> Callable[[Path], None]:
    def change(hdus: fits.HDUList) -> None:
        hdus[1].data = hdus[1].data[rows]

    return lambda path: rewrite(path, change)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-2000] ^= 1
    path.write_bytes(data)


def other_run(path: Path) -> None:
    info = run_info(50, per_file=20, seed=77)
    write_catalog(path.parent / "o" / "cat.fits", [make_batch(info)], info)
    shutil.copy(path.parent / "o" / "cat.0001.fits", part(path, 1))


def swap(path: Path) -> None:
    part(path, 0).rename(path.with_name("x"))
    part(path, 1).rename(part(path, 0))
    path.with_name("x").rename(part(path, 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (keep_rows(slice(0, 2)), "rows end with galaxy 39, but NGAL is 50"),
        (keep_rows([0, 2]), "row 1 has galaxies 40 to 49"),
        (keep_rows([1, 0, 2]), "row 0 has galaxies 20 to 39"),
        (keep_rows([0, 0, 2]), "listed twice"),
        (flip, "DATASUM"),
        (lambda path: shutil.copy(part(path, 0), part(path, 1)), "FIRSTGAL is 0; 20 is listed"),
        (swap, "FIRSTGAL is 20; 0 is listed"),
        (other_run, "of another run: SEED"),
        (lambda path: part(path, 2).unlink(), "cat.0002.fits"),
        (lambda path: part(path, 0).write_bytes(b""), "Empty or corrupt"),
        (lambda path: part(path, 0).write_bytes(b"SIMPLE  ="), "cat.0000.fits has 9 bytes"),
    ],
)
def test_what_is_wrong_is_found(tmp_path: Path, change: Callable[[Path], None], words: str):
    path, info = tmp_path / "cat.fits", run_info(50, per_file=20)
    (tmp_path / "o").mkdir()
    write_catalog(path, [make_batch(info)], info)
    assert verify(path).ok
    change(path)
    report = verify(path)
    assert not report.ok
    assert words in str(report)


def test_a_shorter_one_is_good(tmp_path: Path):
    path, info = tmp_path / "cat.fits", run_info(50, per_file=20)
    writer = CatalogWriter(path, info)
    writer.write(make_batch(info, 0, 30))
    writer.close()
    assert finish(path, partial=True) == 30
    assert verify(path).ok


@pytest.mark.parametrize(
    ("column", "rows", "value", "words"),
    [
        ("FLUX_G", slice(1, 2), np.nan, "FLUX is NaN in some bands only"),
        ("FLUX_G", slice(1, 2), np.inf, "FLUX_G is infinite"),
        ("FLUX_R", slice(1, 2), 1e18, "FLUX_R is beyond"),
        ("FLUX", slice(None), np.nan, "FLUX is NaN in 7 of 7 rows"),
    ],
)
def test_flux_that_no_galaxy_has(tmp_path: Path, column: str, rows: slice, value, words: str):
    path, info = tmp_path / "cat.fits", run_info(7)
    batch = make_batch(info)
    for name in batch.measured:
        if name.startswith(column):
            batch.measured[name][rows] = value
    write_catalog(path, [batch], info)
    report = verify(path)
    assert not report.ok
    assert words in str(report)


def test_pixels_that_no_galaxy_has(tmp_path: Path):
    path, info = tmp_path / "cat.fits", run_info(7)
    batch = make_batch(info)
    batch.stamps_nbhw[3, 1, 2, 2] = 1e18
    write_catalog(path, [batch], info)
    assert "STAMPS_R: 1 pixels are beyond" in str(verify(path))
