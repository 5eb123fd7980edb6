from __future__ import annotations

import hashlib
import os
import resource
import signal
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import fitsio
import numpy as np
import pytest
from astropy.io import fits

from galgen import categories
from galgen.batch import GalaxyBatch, RunInfo
from galgen.catalog import CatalogFile, CatalogWriter, verify, write_catalog
from galgen.catalog.layout import plan
from galgen.errors import CatalogError, InvalidValueError, NonFiniteOutputError, OutputError
from tests.catalog.synthetic import accept, make_batch, run_info

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


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_bytes_do_not_depend_on_order_batches_or_memory_layout(tmp_path: Path):
    info = run_info(70, ("g", "r"), 64, 64)
    whole = make_batch(info)
    nhwb = np.ascontiguousarray(whole.stamps_nbhw.transpose(0, 2, 3, 1))
    runs = {
        "whole": [whole],
        "forward": pieces(info, 1, 33, 64),
        "backward": pieces(info, 1, 33, 64)[::-1],
        "shuffled": [pieces(info, *range(7, 70, 7))[i] for i in (3, 9, 0, 5, 1, 8, 2, 7, 4, 6)],
        "bands last": [replace(whole, stamps_nbhw=nhwb.transpose(0, 3, 1, 2))],
        "big-endian": [replace(whole, stamps_nbhw=whole.stamps_nbhw.astype(">f4"))],
        "with an empty batch": [make_batch(info, 0, 0), whole],
    }
    sums = {
        name: sha256(write_catalog(tmp_path / f"{name}.fits", batches, info))
        for name, batches in runs.items()
    }
    assert set(sums.values()) == {sums["whole"]}


def test_date_comes_from_source_date_epoch_only(tmp_path: Path, monkeypatch):
    info = run_info()
    write_catalog(tmp_path / "undated.fits", [make_batch(info)], info)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    write_catalog(tmp_path / "dated.fits", [make_batch(info)], info)
    assert "DATE" not in fits.getheader(tmp_path / "undated.fits")
    assert fits.getheader(tmp_path / "dated.fits")["DATE"] == "2026-01-01T00:00:00"
    accept(tmp_path / "dated.fits")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(InvalidValueError, match="yesterday"):
        CatalogWriter(tmp_path / "never.fits", info)


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
    assert peak(1000) < 1.1 * peak(100)


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


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """The kernel refuses bytes beyond `size` in any file, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


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
    writer = CatalogWriter(path, info)
    writer.write(make_batch(info))
    path.write_text("precious")
    with pytest.raises(OutputError, match=r"appeared.*cat\.fits\.part"):
        writer.close()
    assert path.read_text() == "precious"
    assert verify(tmp_path / "cat.fits.part").ok


# A file under construction.


def test_an_unfinished_file_is_not_fits(tmp_path: Path):
    info = run_info()
    with CatalogWriter(tmp_path / "cat.fits", info) as writer:
        writer.write(make_batch(info))
        part = tmp_path / "cat.fits.part"
        assert os.listdir(tmp_path) == [part.name]
        assert part.stat().st_blocks * 512 >= writer.layout.total_bytes  # the room is reserved
        with pytest.raises(OSError, match="SIMPLE"):
            fits.open(part)
        with pytest.raises(OSError, match="FITS"):
            fitsio.FITS(part)
        with pytest.raises(CatalogError, match="FITS"):
            CatalogFile(part)
    assert os.listdir(tmp_path) == ["cat.fits"]


def test_two_writers_cannot_share_a_file(tmp_path: Path):
    info = run_info()
    with CatalogWriter(tmp_path / "cat.fits", info) as writer:
        with pytest.raises(OutputError, match="another process"):
            CatalogWriter(tmp_path / "cat.fits", info)
        writer.write(make_batch(info))
    accept(tmp_path / "cat.fits")


def test_what_a_killed_run_left_is_replaced(tmp_path: Path):
    info = run_info()
    child = os.fork()
    if child == 0:
        CatalogWriter(tmp_path / "cat.fits", run_info(500)).write(make_batch(run_info(500), 0, 50))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert os.listdir(tmp_path) == ["cat.fits.part"]
    write_catalog(tmp_path / "cat.fits", [make_batch(info)], info)
    write_catalog(tmp_path / "clean.fits", [make_batch(info)], info)
    assert sha256(tmp_path / "cat.fits") == sha256(tmp_path / "clean.fits")


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
        assert writer.galaxies == 2
        writer.write(make_batch(info, 2, 7))
    write_catalog(tmp_path / "clean.fits", [make_batch(info)], info)
    assert sha256(tmp_path / "cat.fits") == sha256(tmp_path / "clean.fits")
    with pytest.raises(InvalidValueError, match="closed"):
        writer.write(make_batch(info))


# Runs that end early.


def keeps(path: Path, info: RunInfo, kept: int, reason: str) -> None:
    """Fail unless `path` is a valid catalogue of the first `kept` galaxies that says why."""
    accept(path)
    report = verify(path)
    assert (report.ok, report.galaxies, report.asked) == (True, kept, info.n)
    expected = make_batch(info, 0, kept)
    with CatalogFile(path) as file:
        np.testing.assert_array_equal(file.stamps(), expected.stamps_nbhw)
        np.testing.assert_array_equal(file.column("SNR"), expected.measured["SNR"])
    comment = fits.getheader(path)["COMMENT"][0]
    assert comment == f"Stopped after {kept} of {info.n} galaxies: {reason}."
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), SystemExit(143), NonFiniteOutputError("NaN"), OSError(28, "full")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("n", [9, 3000])  # 3000: most of the data moves by more than its length
def test_an_exception_keeps_the_galaxies_before_it(tmp_path: Path, error: BaseException, n: int):
    path, info = tmp_path / "cat.fits", run_info(n)

    def batches() -> Iterator[GalaxyBatch]:
        yield make_batch(info, 3, 5)
        yield make_batch(info, 0, 3)
        yield make_batch(info, 7, 8)  # behind a gap: dropped
        raise error

    with pytest.raises(type(error)) as caught:
        write_catalog(path, batches(), info)
    assert caught.value is error
    assert error.__notes__.pop() == f"{path} keeps the first 5 of {n} galaxies."
    keeps(path, info, 5, type(error).__name__)


def test_a_real_ctrl_c_keeps_the_galaxies_before_it(tmp_path: Path):
    info = run_info(9)

    def batches() -> Iterator[GalaxyBatch]:
        yield make_batch(info, 0, 4)
        signal.raise_signal(signal.SIGINT)
        yield make_batch(info, 4, 9)

    with pytest.raises(KeyboardInterrupt):
        write_catalog(tmp_path / "cat.fits", batches(), info)
    keeps(tmp_path / "cat.fits", info, 4, "KeyboardInterrupt")


def test_a_full_disk_keeps_the_galaxies_before_it(tmp_path: Path):
    path, info = tmp_path / "cat.fits", run_info(200)
    *_, last_band = plan(info).hdus

    def batches() -> Iterator[GalaxyBatch]:
        with file_size_limit(last_band.data_start + 130 * last_band.stride - 8):
            for start in range(0, 200, 20):
                yield make_batch(info, start, start + 20)

    run = batches()
    with pytest.raises(OSError, match="File too large") as caught:
        write_catalog(path, run, info)
    run.close()  # lifts the limit
    assert f"{path} keeps the first 120 of 200 galaxies." in caught.value.__notes__
    keeps(path, info, 120, "OSError")


def test_a_batch_that_met_a_full_disk_can_be_written_again(tmp_path: Path):
    info = run_info(200)
    with CatalogWriter(tmp_path / "cat.fits", info) as writer:
        with file_size_limit(writer.layout.total_bytes // 2), pytest.raises(OSError, match="large"):
            writer.write(make_batch(info))
        writer.write(make_batch(info))
    accept(tmp_path / "cat.fits")


@pytest.mark.parametrize("batches", [[], [(5, 9)]], ids=["none", "not the first"])
def test_without_the_first_galaxy_nothing_is_left(tmp_path: Path, batches: list):
    path, info = tmp_path / "cat.fits", run_info(9)

    def interrupted() -> Iterator[GalaxyBatch]:
        yield from (make_batch(info, *batch) for batch in batches)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        write_catalog(path, interrupted(), info)
    assert caught.value.__notes__ == [f"{path} was not written."]
    assert os.listdir(tmp_path) == []


def test_an_old_file_survives_a_run_that_makes_no_galaxy(tmp_path: Path):
    path = tmp_path / "cat.fits"
    path.write_text("precious")
    with pytest.raises(KeyboardInterrupt), CatalogWriter(path, run_info(), overwrite=True):
        raise KeyboardInterrupt
    assert path.read_text() == "precious"


def test_missing_galaxies_are_an_error(tmp_path: Path):
    path, info = tmp_path / "cat.fits", run_info(9)
    with pytest.raises(InvalidValueError, match="galaxies given is 4; allowed: all 9"):
        write_catalog(path, [make_batch(info, 0, 4), make_batch(info, 5, 9)], info)
    keeps(path, info, 4, "incomplete input")


def test_an_exception_after_the_last_galaxy_does_not_shorten_the_file(tmp_path: Path):
    info = run_info()

    def interrupted() -> Iterator[GalaxyBatch]:
        yield make_batch(info)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_catalog(tmp_path / "cat.fits", interrupted(), info)
    write_catalog(tmp_path / "clean.fits", [make_batch(info)], info)
    assert sha256(tmp_path / "cat.fits") == sha256(tmp_path / "clean.fits")
