from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galgen.catalog import CatalogWriter, verify, write_catalog
from galgen.errors import DataError
from tests.catalog.synthetic import make_batch, run_info


@pytest.fixture
def path(tmp_path: Path) -> Path:
    info = run_info(20)
    return write_catalog(tmp_path / "cat.fits", [make_batch(info)], info)


def test_a_good_file(path: Path):
    report = verify(path)
    assert report.ok
    assert (report.galaxies, report.asked) == (20, 20)
    assert sum(report.categories.values()) == 20
    assert report.categories["round-smooth"] == 2  # code 2: galaxies 2 and 17
    assert report.not_measured == {"SNR": 7}
    assert str(report).startswith(f"{path}: good")
    assert "round-smooth: 2" in str(report)


def test_no_file(tmp_path: Path):
    with pytest.raises(DataError, match="cannot be opened"):
        verify(tmp_path / "missing.fits")


def flip(path: Path, byte: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[byte] ^= 1 << bit
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["PRIMARY", "CATALOG", "STAMPS_G", "STAMPS_I"])
def test_one_flipped_bit_is_found(path: Path, name: str):
    with fits.open(path) as hdus:
        place = hdus[name].fileinfo()
    # In data where there are any; of the primary header, in the text of a card.
    flip(path, place["datLoc"] + 1 if place["datSpan"] else 80 * 4 + 20)
    report = verify(path)
    assert not report.ok
    assert any(problem.startswith(f"{name}: ") for problem in report.problems)
    assert str(report).startswith(f"{path}: BAD")


def test_any_flipped_bit_is_found(path: Path):
    """Headers, data, padding: damage is reported, never raised or passed over."""
    good = path.read_bytes()
    generator = np.random.default_rng(0)
    for byte, bit in zip(generator.integers(len(good), size=150), range(150), strict=True):
        flip(path, byte, bit % 8)
        assert not verify(path).ok, (byte, bit % 8)
        path.write_bytes(good)


@pytest.mark.parametrize("size", [0, 100, 2880, 30_000, -2880, -1])
def test_a_truncated_file(path: Path, size: int):
    path.write_bytes(path.read_bytes()[:size])
    report = verify(path)
    assert not report.ok
    assert str(path) in report.problems[0]


def test_bytes_after_the_end(path: Path):
    path.write_bytes(path.read_bytes() + bytes(2880))
    assert not verify(path).ok


def set_rows(name: str, rows: slice, value: object):
    def change(hdus: fits.HDUList) -> None:
        hdus["CATALOG"].data[name][rows] = value

    return change


def set_pixel(hdus: fits.HDUList) -> None:
    hdus["STAMPS_R"].data[3, 2, 1] = np.inf


def rename_category(hdus: fits.HDUList) -> None:
    hdus[0].header["CAT007"] = "barred"


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (set_rows("GALAXY_ID", slice(4, 5), 99), ["row 4: GALAXY_ID is not consecutive: 99."]),
        (set_rows("SEED", slice(2, 3), 1), ["row 2: SEED is not that of the header: 1."]),
        (set_rows("CATEGORY", slice(0, 1), 77), ["row 0: CATEGORY is not in the taxonomy: 77."]),
        (
            set_rows("CATEGORY_NAME", slice(5, 6), "spiral"),
            ["row 5: CATEGORY_NAME is not that of CATEGORY: b'spiral'."],
        ),
        (
            set_rows("SEED", slice(None), 1),
            [f"row {i}: SEED is not that of the header: 1." for i in range(3)]
            + ["SEED is not that of the header: in 20 rows."],
        ),
        (set_pixel, ["STAMPS_R: 1 pixels are not finite."]),
        (rename_category, ["card CAT007 is 'barred'; category 7 is barred-spiral."]),
    ],
)
def test_contents_that_contradict_each_other(tmp_path: Path, path: Path, change, problems: list):
    """Written with good checksums, so that nothing but the contents is wrong."""
    with fits.open(path) as hdus:
        change(hdus)
        hdus.writeto(tmp_path / "changed.fits", checksum=True)
    assert list(verify(tmp_path / "changed.fits").problems) == problems


def test_a_file_without_checksums(tmp_path: Path, path: Path):
    with fits.open(path) as hdus:
        for hdu in hdus:
            del hdu.header["CHECKSUM"], hdu.header["DATASUM"]
        hdus.writeto(tmp_path / "changed.fits")
    problems = verify(tmp_path / "changed.fits").problems
    assert [problem.split(": ")[1] for problem in problems] == ["has no checksums."] * 5


@pytest.fixture
def several(tmp_path: Path) -> Path:
    info = run_info(25, per_file=10)
    return write_catalog(tmp_path / "cat.fits", [make_batch(info)], info)


def test_several_files_are_checked_together(several: Path):
    report = verify(several)
    assert (report.ok, report.galaxies, report.asked) == (True, 25, 25)
    assert sum(report.categories.values()) == 25
    last = verify(several.with_name("cat.0002.fits"))
    assert (last.ok, last.galaxies, last.asked) == (True, 5, 5)


def test_a_wrong_file_of_several_is_named(several: Path):
    damaged = several.with_name("cat.0001.fits")
    data = bytearray(damaged.read_bytes())
    data[-3000] ^= 1
    damaged.write_bytes(data)
    several.with_name("cat.0002.fits").unlink()
    problems = verify(several).problems
    assert any("cat.0001.fits: STAMPS_I" in problem for problem in problems)
    assert any("cat.0002.fits: cannot be opened" in problem for problem in problems)


def test_an_unfinished_catalogue_is_compared_with_its_ledger(tmp_path: Path):
    path, info = tmp_path / "cat.fits", run_info(50, per_file=20)
    writer = CatalogWriter(path, info)
    for start, stop in ((0, 10), (25, 45)):
        writer.write(make_batch(info, start, stop))
    writer.close()
    report = verify(path)
    assert (report.ok, report.galaxies, report.asked) == (False, 30, 50)
    assert len(report.problems) == 1
    assert f"(10..24, 45..49). It is unfinished: galgen resume {path}" in report.problems[0]
    # A bit of the last stamp of galaxy 39 turns over.
    data = tmp_path / "cat.fits.part" / "1.data"
    *_, stamps = writer.files[1].hdus
    with data.open("r+b") as file:
        file.seek(stamps.data_start + 20 * stamps.stride - 1)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    problems = verify(path).problems
    assert len(problems) == 2
    assert "galaxies 25 to 39 count as missing: they have changed since" in problems[1]
    assert "(10..39, 45..49)" in problems[0]
    with CatalogWriter(path, info, resume=True) as writer:
        for start, stop in writer.missing:
            writer.write(make_batch(info, start, stop))
    assert verify(path).ok
    with pytest.raises(DataError):
        verify(tmp_path / "other.fits")


def test_a_damaged_index(several: Path):
    os.truncate(several, several.stat().st_size - 2880)
    assert "index" in verify(several).problems[0]
