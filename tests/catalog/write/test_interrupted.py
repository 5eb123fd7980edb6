"""Runs that end early: what is recorded stays, and another run makes the same bytes of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from galgen.batch import GalaxyBatch
from galgen.catalog import CatalogWriter, is_finished, write_catalog
from galgen.catalog.format.layout import plan
from galgen.catalog.write import recorder
from galgen.errors import InvalidValueError, NonFiniteOutputError, OutputError, UnfinishedError
from tests.catalog.synthetic import accept, file_size_limit, make_batch, run_info, sha256
from tests.catalog.write.runs import MISSING, clean, resume


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), SystemExit(143), NonFiniteOutputError("NaN"), OSError(28, "full")],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_keeps_what_was_written(tmp_path: Path, error: BaseException):
    path, info = tmp_path / "cat.fits", run_info(9)

    def batches() -> Iterator[GalaxyBatch]:
        yield make_batch(info, 3, 5)
        yield make_batch(info, 0, 3)
        yield make_batch(info, 7, 8)
        raise error

    with pytest.raises(type(error)) as caught:
        write_catalog(path, batches(), info)
    assert caught.value is error
    note = error.__notes__.pop()
    assert note.startswith(f"{path}.part keeps 6 of 9 galaxies.")
    assert f"galgen finish --partial {path}" in note
    assert os.listdir(tmp_path) == ["cat.fits.part"]
    assert resume(path, info) == ((5, 7), (8, 9))
    assert sha256(path) == clean(path, info)


@pytest.fixture
def terminal() -> Iterator[None]:
    """SIGINT as a terminal sends it; in a job in the background it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("terminal")
def test_a_real_ctrl_c_keeps_what_was_written(tmp_path: Path):
    path, info = tmp_path / "cat.fits", run_info(9)

    def batches() -> Iterator[GalaxyBatch]:
        yield make_batch(info, 0, 4)
        signal.raise_signal(signal.SIGINT)
        yield make_batch(info, 4, 9)

    with pytest.raises(KeyboardInterrupt):
        write_catalog(path, batches(), info)
    assert resume(path, info) == ((4, 9),)
    assert sha256(path) == clean(path, info)


def test_a_failing_disk_keeps_what_was_written(tmp_path: Path, monkeypatch):
    """The file is allocated beforehand, so this is a quota, or a disk that lies."""
    monkeypatch.setattr(recorder, "RECORD_BYTES", 1)  # every batch
    path, info = tmp_path / "cat.fits", run_info(200)
    *_, last_band = plan(info).hdus
    writer = CatalogWriter(path, info)
    limit = last_band.data_start + 130 * last_band.stride - 8
    with file_size_limit(limit), pytest.raises(OSError, match="File too large"):  # noqa: PT012
        for start in range(0, 200, 20):
            writer.write(make_batch(info, start, start + 20))
        writer.close()
    with suppress(OSError):  # again, if it was `write` that met it
        writer.close()
    with pytest.raises(InvalidValueError, match="closed"):
        writer.finish()
    assert not path.exists()
    assert resume(path, info) == ((120, 200),)
    assert sha256(path) == clean(path, info)


@pytest.mark.parametrize("error", [KeyboardInterrupt, None])
def test_without_any_galaxy_nothing_is_left(tmp_path: Path, error: type | None):
    path = tmp_path / "cat.fits"
    path.write_text("precious")
    with pytest.raises(error or UnfinishedError) as caught:  # noqa: PT012, SIM117
        with CatalogWriter(path, run_info(), overwrite=True):
            if error is not None:
                raise error
    assert caught.value.__notes__ == [f"{path} was not written."]
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["cat.fits"]


def test_missing_galaxies_are_an_error(tmp_path: Path):
    path, info = tmp_path / "cat.fits", run_info(9)
    with pytest.raises(UnfinishedError, match=r"1 of 9 galaxies are missing \(4\.\.4\)"):
        write_catalog(path, [make_batch(info, 0, 4), make_batch(info, 5, 9)], info)
    assert not path.exists()


@pytest.mark.parametrize("per_file", [None, 50, 1000])  # 50: records end where files do
def test_the_rest_by_another_writer_makes_the_same_bytes(interrupted, per_file: int | None):
    info = run_info(200, per_file=per_file)
    path = interrupted(info)
    assert resume(path, info) == MISSING
    whole = path.with_name("clean.fits")
    write_catalog(whole, [make_batch(info)], info)
    names = sorted(p.name for p in path.parent.glob("cat*"))
    assert len(names) == {None: 1, 50: 5, 1000: 2}[per_file]
    for name in names:
        accept(path.with_name(name))
        if name != "cat.fits" or per_file is None:
            assert sha256(path.with_name(name)) == sha256(
                whole.with_name(name.replace("cat", "clean"))
            )
    assert is_finished(path, info)
    assert not is_finished(path, run_info(200, per_file=per_file, seed=1))


def test_a_read_only_folder_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(OutputError, match="not writable"):
        CatalogWriter(tmp_path / "cat.fits", run_info())
    assert os.listdir(tmp_path) == []
