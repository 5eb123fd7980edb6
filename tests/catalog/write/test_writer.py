from __future__ import annotations

import os
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import fitsio
import numpy as np
import pytest
from astropy.io import fits

from galgen import categories
from galgen.batch import GalaxyBatch
from galgen.catalog import CatalogFile, CatalogWriter, finish, verify, write_catalog
from galgen.errors import CatalogError, InvalidValueError, OutputError
from galgen.runinfo import RunInfo
from tests.catalog.synthetic import accept, file_size_limit, make_batch, run_info, sha256

RUNS = [
    run_info(),
    run_info(1, ("r",), 1, 1),  # the smallest there is
    run_info(3, ("u", "g", "r", "i", "z", "Y"), 8, 8),
    run_info(720, ("r",), 2, 2),  # table and stamps fill their 2880-byte blocks exactly
    run_info(2, ("g", "r"), 400, 400),  # one stamp is more than one write
    run_info(70, ("g",), 64, 64),  # a last write that is not full
    run_info(flux_unit="nanomaggy", flux_calibration="LINEAR", zero_point=22.5, lupton=None),
]


def pieces(info: RunInfo, *edges: int) -> list[GalaxyBatch]:
    """The run cut at `edges`."""
    cuts = [0, *edges, info.n]
    return [make_batch(info, *cut) for cut in pairwise(cuts)]


@pytest.mark.parametrize("info", RUNS, ids=lambda info: f"{info.n}x{len(info.bands)}")
def test_other_readers_get_back_what_was_written(tmp_path: Path, info: RunInfo):
    path = tmp_path / "cat.fits"
    batch = make_batch(info)
    assert write_catalog(path, [batch], info) == path
    accept(path)
    assert verify(path).ok
    with fitsio.FITS(path) as file, fits.open(path) as hdus:
        table = file["CATALOG"].read()
        np.testing.assert_array_equal(table["GALAXY_ID"], np.arange(info.n))
        np.testing.assert_array_equal(table["SEED"], np.full(info.n, info.seed))
        np.testing.assert_array_equal(table["CATEGORY"], batch.category_n)
        names = [str(categories.get(int(code))) for code in batch.category_n]
        assert [name.rstrip() for name in table["CATEGORY_NAME"].astype(str)] == names
        assert hdus["CATALOG"].data["CATEGORY_NAME"].tolist() == names
        for name, column in batch.measured.items():
            np.testing.assert_array_equal(table[name], column)
            np.testing.assert_array_equal(hdus["CATALOG"].data[name], column)
        for i, band in enumerate(info.bands):
            extension = f"STAMPS_{band.upper()}"
            assert hdus[extension].header["BUNIT"] == info.flux_unit
            np.testing.assert_array_equal(hdus[extension].data, batch.stamps_nbhw[:, i])
            np.testing.assert_array_equal(file[extension].read(), batch.stamps_nbhw[:, i])
    assert os.listdir(tmp_path) == ["cat.fits"]


def big_endian(batch: GalaxyBatch, sums: bool = True) -> GalaxyBatch:
    """As a GPU makes it: the bytes of one cube per band, and their sums."""
    cubes_bnhw = np.ascontiguousarray(batch.stamps_nbhw.swapaxes(0, 1)).astype(">f4")
    sums_bn = [[fits.ImageHDU(stamp).add_datasum() for stamp in cube] for cube in cubes_bnhw]
    return replace(
        batch,
        stamps_nbhw=cubes_bnhw.swapaxes(0, 1),
        stamp_sums_nb=np.array(sums_bn, np.uint32).T if sums else None,
    )


def test_bytes_do_not_depend_on_order_batches_or_memory_layout(tmp_path: Path):
    info = run_info(70, ("g", "r"), 64, 64)
    whole = make_batch(info)
    nhwc = np.ascontiguousarray(whole.stamps_nbhw.transpose(0, 2, 3, 1))
    runs = {
        "whole": [whole],
        "forward": pieces(info, 1, 33, 64),
        "backward": pieces(info, 1, 33, 64)[::-1],
        "shuffled": [pieces(info, *range(7, 70, 7))[i] for i in (3, 9, 0, 5, 1, 8, 2, 7, 4, 6)],
        "bands last": [replace(whole, stamps_nbhw=nhwc.transpose(0, 3, 1, 2))],
        "big-endian": [replace(whole, stamps_nbhw=whole.stamps_nbhw.astype(">f4"))],
        "big-endian bands": [big_endian(whole, sums=False)],
        "with sums": [big_endian(whole)],
        "with sums, in pieces": [big_endian(piece) for piece in pieces(info, 1, 33)],
        "with sums, bands last": [
            replace(big_endian(whole), stamps_nbhw=nhwc.astype(">f4").transpose(0, 3, 1, 2))
        ],
        "with an empty batch": [make_batch(info, 0, 0), whole],
    }
    sums = {
        name: sha256(write_catalog(tmp_path / f"{name}.fits", batches, info))
        for name, batches in runs.items()
    }
    assert set(sums.values()) == {sums["whole"]}
    accept(tmp_path / "with sums.fits")


def test_sums_of_a_batch_are_not_computed_again(tmp_path: Path):
    info = run_info(3, ("r",))
    sums_nb = np.array([[2**32 - 1], [2], [3]], np.uint32)  # the first is a zero, with its carry
    batch = replace(big_endian(make_batch(info)), stamp_sums_nb=sums_nb)
    write_catalog(tmp_path / "cat.fits", [batch], info)
    assert fits.getheader(tmp_path / "cat.fits", "STAMPS_R")["DATASUM"] == "5"
    assert not verify(tmp_path / "cat.fits").ok


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"stamps_nbhw": np.zeros((2, 3, 5, 6), np.float32)}, "float32'; allowed: big-endian"),
        (
            {"stamp_sums_nb": np.zeros((2, 2), np.uint32)},
            r"uint32 \(2, 2\)'; allowed: uint32 \(2, 3",
        ),
        ({"stamp_sums_nb": np.zeros((2, 3), np.int64)}, "stamp sums is 'int64"),
    ],
)
def test_sums_that_cannot_be_of_the_stamps_are_refused(changes: dict, match: str):
    batch = big_endian(make_batch(run_info(2)))
    with pytest.raises(InvalidValueError, match=match):
        replace(batch, **changes)


def test_the_date_is_that_of_the_run(tmp_path: Path):
    info = run_info(date="2026-01-01T00:00:00")
    write_catalog(tmp_path / "cat.fits", [make_batch(info)], info)
    assert fits.getheader(tmp_path / "cat.fits")["DATE"] == "2026-01-01T00:00:00"
    accept(tmp_path / "cat.fits")
    with CatalogFile(tmp_path / "cat.fits") as file:
        assert file.info.date == info.date


def test_progress_counts_galaxies_and_bytes(tmp_path: Path):
    info = run_info()
    seen: list[tuple[int, int]] = []
    write_catalog(
        tmp_path / "cat.fits", pieces(info, 3), info, progress=lambda *done: seen.append(done)
    )
    per_galaxy = 92 + 3 * 5 * 6 * 4
    assert seen == [(3, 3 * per_galaxy), (7, 7 * per_galaxy)]


def test_memory_does_not_grow_with_n(tmp_path: Path):
    def peak(n: int) -> int:
        info = run_info(n, ("g",), 16, 16)
        batches = (make_batch(info, start, start + 20) for start in range(0, n, 20))
        tracemalloc.start()
        write_catalog(tmp_path / f"{n}.fits", batches, info)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(20)  # imports and caches
    assert peak(1000) < 1.5 * peak(100)  # whose stamps are 1 MB and 0.1 MB


# What is refused before anything is created.


@pytest.mark.parametrize(
    ("name", "match"),
    [("missing/cat.fits", "no folder"), ("file/cat.fits", "no folder"), ("folder", "is a folder")],
)
def test_impossible_outputs_are_refused(tmp_path: Path, name: str, match: str):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=match):
        CatalogWriter(tmp_path / name, run_info())
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_disk_that_is_too_small_is_refused_with_numbers(tmp_path: Path):
    with pytest.raises(OutputError, match=r"needs 4[\d,]{15,} bytes, but .* [\d,]+ available"):
        CatalogWriter(tmp_path / "cat.fits", run_info(n=10**13))
    assert os.listdir(tmp_path) == []


def test_room_that_cannot_be_reserved_is_refused(tmp_path: Path):
    with file_size_limit(20_000), pytest.raises(OutputError, match="cannot be reserved: File too"):
        CatalogWriter(tmp_path / "cat.fits", run_info(100))
    assert os.listdir(tmp_path) == []


def test_an_existing_file_is_kept_unless_told(tmp_path: Path):
    path, info = tmp_path / "cat.fits", run_info()
    path.write_text("precious")
    with pytest.raises(OutputError, match="exists"):
        CatalogWriter(path, info)
    with CatalogWriter(path, info, overwrite=True) as writer:
        writer.write(make_batch(info))
        assert path.read_text() == "precious"  # until the new one is finished
    assert verify(path).ok


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path):
    path, info = tmp_path / "cat.fits", run_info()
    with pytest.raises(OutputError, match=r"appeared.*cat\.fits\.part"):  # noqa: PT012, SIM117
        with CatalogWriter(path, info) as writer:
            writer.write(make_batch(info))
            path.write_text("precious")
    assert path.read_text() == "precious"
    path.rename(tmp_path / "precious")
    assert finish(path) == info.n
    accept(path)
    assert sorted(os.listdir(tmp_path)) == ["cat.fits", "precious"]


# A file under construction.


def test_an_unfinished_file_is_not_fits(tmp_path: Path):
    info = run_info()
    with CatalogWriter(tmp_path / "cat.fits", info) as writer:
        writer.write(make_batch(info))
        assert os.listdir(tmp_path) == ["cat.fits.part"]
        data = tmp_path / "cat.fits.part" / "0.data"
        assert data.stat().st_blocks * 512 >= writer.files[0].total_bytes  # the room is reserved
        with pytest.raises(OSError, match="SIMPLE"):
            fits.open(data)
        with pytest.raises(OSError, match="FITS"):
            fitsio.FITS(data)
        with pytest.raises(CatalogError, match="FITS"):
            CatalogFile(data)
    assert os.listdir(tmp_path) == ["cat.fits"]


@pytest.mark.parametrize("options", [{}, {"overwrite": True}, {"resume": True}, {"shared": True}])
def test_two_writers_cannot_share_a_file_unless_both_say_so(tmp_path: Path, options: dict):
    info = run_info()
    with CatalogWriter(tmp_path / "cat.fits", info) as writer:
        with pytest.raises(OutputError, match="another process"):
            CatalogWriter(tmp_path / "cat.fits", info, **options)
        with pytest.raises(OutputError, match="another process"):
            finish(tmp_path / "cat.fits")
        writer.write(make_batch(info))
    accept(tmp_path / "cat.fits")


@pytest.mark.parametrize("left", ["folder", "ledger"])
def test_what_another_run_left_is_replaced_if_told(tmp_path: Path, left: str):
    """As a folder without a ledger, and with that of a longer run."""
    path, info, part = tmp_path / "cat.fits", run_info(), tmp_path / "cat.fits.part"
    if left == "folder":
        part.mkdir()
        (part / "0.data").write_bytes(b"left" * 100_000)
    else:
        other = run_info(100, seed=1)
        writer = CatalogWriter(path, other)
        writer.write(make_batch(other, 0, 50))
        writer.close()
    with pytest.raises(OutputError, match="unfinished run"):
        write_catalog(path, [make_batch(info)], info)
    write_catalog(path, [make_batch(info)], info, overwrite=True)
    write_catalog(tmp_path / "clean.fits", [make_batch(info)], info)
    assert sha256(path) == sha256(tmp_path / "clean.fits")
    assert sorted(os.listdir(tmp_path)) == ["cat.fits", "clean.fits"]


# Batches that do not fit.


def wrong(info: RunInfo) -> dict[str, GalaxyBatch]:
    good = make_batch(info, 2, 5)
    cut = good.stamps_nbhw[..., :-1]
    return {
        "bands": replace(good, bands=("g", "r", "z")),
        "stamps shape": replace(good, stamps_nbhw=cut),
        "seed": replace(good, seed=1),
        "consecutive": replace(good, galaxy_id_n=np.array([2, 4, 3])),
        r"\(5, 7\)": replace(good, galaxy_id_n=np.arange(5, 8)),  # the run has 7
        r"\(-1, 1\)": replace(good, galaxy_id_n=np.arange(-1, 2)),
        "which are written": make_batch(info, 1, 3),
        "measured columns": replace(good, measured={"SNR": good.measured["SNR"]}),
        "category code is 99": replace(good, category_n=np.array([1, 99, 2], np.int16)),
        "category code is -1": replace(good, category_n=np.array([-1, 1, 2], np.int16)),
    }


@pytest.mark.parametrize("match", wrong(run_info()))
def test_a_batch_that_does_not_fit_is_refused_and_nothing_is_lost(tmp_path: Path, match: str):
    info = run_info()
    with CatalogWriter(tmp_path / "cat.fits", info) as writer:
        writer.write(make_batch(info, 0, 2))
        with pytest.raises(InvalidValueError, match=match):
            writer.write(wrong(info)[match])
        writer.write(make_batch(info, 2, 7))
    write_catalog(tmp_path / "clean.fits", [make_batch(info)], info)
    assert sha256(tmp_path / "cat.fits") == sha256(tmp_path / "clean.fits")
    with pytest.raises(InvalidValueError, match="closed"):
        writer.write(make_batch(info))
