"""Runs that end early: what is good is kept, as a valid shorter catalogue."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galgen.batch import GalaxyBatch, RunInfo
from galgen.catalog import CatalogFile, CatalogWriter, verify, write_catalog
from galgen.catalog.layout import plan
from galgen.errors import InvalidValueError, NonFiniteOutputError
from tests.catalog.synthetic import accept, file_size_limit, make_batch, run_info, sha256


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
