from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import xor

import numpy as np
import pytest
from astropy.io import fits

from galgen import categories
from galgen.catalog.format import checksum, seal
from galgen.catalog.format.checksum import NOTHING, Sum
from galgen.catalog.format.headers import primary_header
from galgen.catalog.format.layout import BLOCK, galaxies_per_file, plan, plan_files
from galgen.catalog.format.schema import catalog_columns, row_dtype
from galgen.catalog.write.written import Written
from galgen.categories.rules import MAX_NAME
from galgen.errors import InvalidValueError
from galgen.runinfo import RunInfo
from tests.catalog.synthetic import run_info


@pytest.mark.parametrize("n", [1, 7, 10**9])
@pytest.mark.parametrize("bands", [("r",), ("g", "r", "i"), ("u", "g", "r", "i", "z", "Y")])
def test_everything_is_where_the_headers_say(n: int, bands: tuple[str, ...]):
    """Astropy derives each HDU's data size from its header alone."""
    layout = plan(run_info(n, bands))
    position = 0
    for hdu in layout.hdus:
        assert hdu.start == position
        assert hdu.data_start - hdu.start == len(hdu.header.tostring())
        assert hdu.header.data_size == hdu.data_bytes
        assert hdu.start % BLOCK == hdu.data_start % BLOCK == hdu.stop % BLOCK == 0
        position = hdu.data_start + hdu.header.data_size_padded
    assert position == layout.total_bytes
    assert layout.galaxy_bytes == row_dtype(catalog_columns(bands, "")).itemsize + len(bands) * 120


@pytest.mark.parametrize("n_bands", range(1, 7))
def test_rows_are_whole_words(n_bands: int):
    columns = catalog_columns("ugrizY"[:n_bands], "nJy")
    assert row_dtype(columns).itemsize % 4 == 0
    assert [c.name for c in columns][:4] == ["GALAXY_ID", "SEED", "CATEGORY", "CATEGORY_NAME"]
    assert [c.unit for c in columns[4 : 4 + n_bands]] == ["nJy"] * n_bands


def test_every_category_name_fits_its_column():
    (names,) = (c for c in catalog_columns("gri", "nJy") if c.name == "CATEGORY_NAME")
    assert np.dtype(names.dtype).itemsize == MAX_NAME


@pytest.mark.parametrize("stopped", [None, "x" * 200])
def test_a_shorter_file_never_moves_data_up(stopped: str | None):
    whole, part = plan(run_info(10**6)), plan(run_info(10**6), 0, 1, stopped)
    for ours, theirs in zip(part.hdus, whole.hdus, strict=True):
        assert ours.data_start - ours.start == theirs.data_start - theirs.start
        assert ours.data_start <= theirs.data_start


def test_the_header_says_what_a_reader_needs():
    header = primary_header(run_info(pixel_scale=0.396, zero_point=22.5), 0, 5, "Stopped.")
    expected = {
        "CREATOR": "galgen 0.1.0",
        "NGAL": 5,
        "NASKED": 7,
        "PIXSCALE": 0.396,
        "ZPT_AB": 22.5,
        "BANDS": "g,r,i",
        "RNGALG": "philox4x32-10/inverse-cdf",
        "NCAT": len(categories.CATEGORIES),
        "CAT007": "barred-spiral",
        "DEPNAM02": "torch",
        "DEPVER02": "2.13.0+cpu",
    }
    assert {key: header[key] for key in expected} == expected
    assert header["COMMENT"][0] == "Stopped."
    assert not any(key.startswith("HIERARCH") or len(key) > 8 for key in header)


@pytest.mark.parametrize(
    ("changed", "card"),
    [({"zero_point": None}, "ZPT_AB"), ({"pixel_scale": None}, "PIXSCALE"), ({}, "DATE")],
)
def test_what_is_not_known_is_not_written(changed: dict, card: str):
    assert card not in primary_header(run_info(**changed), 0, 7)


def comments(info: RunInfo) -> str:
    return " ".join(primary_header(info, 0, 7)["COMMENT"])


def test_comments_say_what_fluxes_mean():
    uncalibrated, calibrated = run_info(), run_info(flux_unit="nJy", flux_calibration="LINEAR")
    assert "not calibrated" in comments(uncalibrated)
    assert "not photometry" in comments(uncalibrated)
    assert "not calibrated" not in comments(calibrated)
    assert "not photometry" not in comments(calibrated)


def test_text_outside_ascii_is_spelled_without():
    header = primary_header(run_info(credit="Müller,\n\N{GREEK SMALL LETTER ALPHA}"), 0, 7)
    assert header["CREDIT"] == "Muller,??"


@pytest.mark.parametrize(
    "changed",
    [
        {"n": 0},
        {"width": 0},
        {"height": -1},
        {"per_file": 0},
        {"seed": 2**63},
        {"bands": ()},
        {"bands": ("g", "G")},  # FITS names ignore case
        {"bands": ("g", "r,i")},
        {"bands": ("é",)},
    ],
)
def test_what_cannot_be_fits_is_refused(changed: dict):
    with pytest.raises(InvalidValueError, match=next(iter(changed))[:4]):
        plan(replace(run_info(), **changed))


def test_sums_of_parts_add_up_to_astropys_sum():
    data = np.random.default_rng(0).integers(0, 2**32, 720, dtype=np.uint32)
    expected = int(fits.ImageHDU(data.view(np.int32))._calculate_datasum())
    parts = [checksum.sum_values(part) for part in np.split(data, [1, 300, 719])]
    assert checksum.add(*reversed(parts)) == expected
    assert checksum.sum_bytes(data.astype(">u4").tobytes()) == expected


@pytest.mark.parametrize(
    ("sums", "total"),
    [
        ((0, 0), 0),
        ((0xFFFFFFFF, 0), 0xFFFFFFFF),
        ((0xFFFFFFFF, 1), 1),
        ((0xFFFFFFFF, 0xFFFFFFFF), 0xFFFFFFFF),  # a carry never makes words sum to 0
        ((0x80000000, 0x80000001), 2),
    ],
)
def test_carries_come_back_in(sums: tuple[int, int], total: int):
    assert checksum.add(*sums) == total


def test_headers_sum_to_all_ones_in_letters_and_digits():
    header = plan(run_info()).hdus[-1].header
    for datasum in np.random.default_rng(1).integers(0, 2**32, 500).tolist():
        written = seal.header_bytes(header, datasum)
        assert checksum.add(checksum.sum_bytes(written), datasum) == checksum.ALL_ONES
        read = fits.Header.fromstring(written)
        assert read["DATASUM"] == str(datasum)
        assert len(read["CHECKSUM"]) == 16
        assert read["CHECKSUM"].isalnum()
    assert header["DATASUM"] == "0"  # the template is left alone


def test_ranges_written_in_any_order_merge():
    shards = [(start, start + 10) for start in range(0, 1000, 10)]
    written = Written((), (NOTHING,))
    for start, stop in np.random.default_rng(2).permutation(shards).tolist():
        if start != 500:
            written = written.add(start, stop, (Sum(1, start),))
    crc = reduce(xor, (start for start, _ in shards if start != 500))
    assert written == Written(((0, 500), (510, 1000)), (Sum(99, crc),))
    assert written.prefix == 500
    assert written.galaxies == 990
    assert written.add(500, 510, (NOTHING,)).prefix == 1000
    assert Written(((10, 20),), (NOTHING,)).prefix == 0


@pytest.mark.parametrize(
    ("ranges", "missing"),
    [
        ((), ((0, 9),)),
        (((0, 9),), ()),
        (((2, 3), (5, 9)), ((0, 2), (3, 5))),
        (((0, 1),), ((1, 9),)),
    ],
)
def test_missing_ranges(ranges: tuple, missing: tuple):
    assert Written(ranges, ()).missing(9) == missing


@pytest.mark.parametrize("size", [57_601, 100_000, 10**6])
def test_files_are_as_large_as_they_may_be(size: int):
    info = run_info(10**5)
    count = galaxies_per_file(info, size)
    sizes = [plan(replace(info, per_file=n), n=n).total_bytes for n in (count, count + 1)]
    assert sizes[0] <= size < sizes[1]


def test_a_file_too_small_for_one_galaxy_is_refused():
    with pytest.raises(InvalidValueError, match="max-file-size is 2880"):
        galaxies_per_file(run_info(), 2880)


def test_galaxies_of_several_files():
    files = plan_files(run_info(10, per_file=4))
    assert [(file.first, file.n) for file in files] == [(0, 4), (4, 4), (8, 2)]
    assert [file.hdus[0].header["FIRSTGAL"] for file in files] == [0, 4, 8]
    assert files[1].hdus[0].header["COMMENT"][0] == "File 1 of 0 to 2."


@pytest.mark.parametrize("again", [(0, 1), (9, 10), (5, 25), (20, 30), (0, 100)])
def test_galaxies_are_written_once(again: tuple[int, int]):
    written = Written(((0, 10), (20, 30)), (NOTHING,))
    with pytest.raises(InvalidValueError, match="which are written"):
        written.add(*again, (NOTHING,))
