"""Runs that end early: what is recorded stays, and another run makes the same bytes of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galgen.batch import GalaxyBatch
from galgen.catalog import (
    CatalogFile,
    CatalogWriter,
    finish,
    is_finished,
    verify,
    write_catalog,
)
from galgen.catalog.format.layout import plan
from galgen.catalog.write import recorder
from galgen.errors import (
    InvalidValueError,
    LedgerError,
    NonFiniteOutputError,
    OutputError,
    UnfinishedError,
)
from galgen.runinfo import RunInfo
from tests.catalog.synthetic import accept, file_size_limit, make_batch, run_info, sha256


def clean(path: Path, info: RunInfo) -> str:
    """Digest of the catalogue that a run without interruptions makes."""
    return sha256(write_catalog(path.with_name("clean.fits"), [make_batch(info)], info))


def resume(path: Path, info: RunInfo, **options) -> tuple[tuple[int, int], ...]:
    """Write what is missing; return which galaxies those were."""
    with CatalogWriter(path, info, resume=True, **options) as writer:
        for start, stop in writer.missing:
            writer.write(make_batch(info, start, stop))
    return writer.missing


@pytest.fixture
def interrupted(tmp_path: Path) -> Callable[..., Path]:
    """Leave a run of 200 galaxies unfinished, with galaxies 0 to 59 and 100 to 119."""

    def leave(info: RunInfo) -> Path:
        writer = CatalogWriter(tmp_path / "cat.fits", info)
        for start, stop in ((0, 40), (100, 120), (40, 60)):
            writer.write(make_batch(info, start, stop))
        writer.close()
        return tmp_path / "cat.fits"

    return leave


MISSING = ((60, 100), (120, 200))


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


def test_records_of_consecutive_galaxies_become_one(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(recorder, "RECORD_SECONDS", 0.0)
    info = run_info(200)
    writer = CatalogWriter(tmp_path / "cat.fits", info)
    for start in range(0, 150, 10):
        writer.write(make_batch(info, start, start + 10))
    writer.close()
    part = tmp_path / "cat.fits.part"
    names = ["0.data", "000000000000-000000000150.json", "run.json"]
    assert sorted(os.listdir(part)) == names
    assert resume(tmp_path / "cat.fits", info) == ((150, 200),)


def test_galaxies_made_twice_count_once(interrupted):
    """A worker thought dead may finish its shard after another one has."""
    info = run_info(200)
    path = interrupted(info)
    record = next((path.parent / "cat.fits.part").glob("*0100-*0120.json"))
    # What a kill leaves between writing a longer record and removing the one that it replaces.
    writer = CatalogWriter(path, info, resume=True)
    kept = record.read_bytes()
    writer.write(make_batch(info, 120, 130))
    writer.close()
    record.write_bytes(kept)
    assert resume(path, info) == ((60, 100), (130, 200))
    assert sha256(path) == clean(path, info)


def test_another_run_is_refused_with_the_differences(interrupted):
    path = interrupted(run_info(200))
    other = run_info(200, seed=1, sampler="heun", weights_sha256="f" * 64)
    with pytest.raises(InvalidValueError) as caught:
        CatalogWriter(path, other, resume=True)
    for word in ("seed", "'dpmpp-2m', now 'heun'", "weights_sha256", "--overwrite"):
        assert word in str(caught.value)
    assert "steps" not in str(caught.value)
    assert resume(path, run_info(200)) == MISSING  # and is as it was


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-9],  # cut off
        lambda text: text.replace('"stop": 120', '"stop": 121'),
        lambda text: "",
        lambda text: "[]",
    ],
)
def test_a_damaged_record_is_made_again_and_reported(interrupted, damage: Callable):
    info = run_info(200)
    path = interrupted(info)
    record = next((path.parent / "cat.fits.part").glob("*0100-*0120.json"))
    record.write_text(damage(record.read_text()))
    with CatalogWriter(path, info, resume=True) as writer:
        assert [str(record) in problem for problem in writer.problems] == [True]
        assert writer.missing == ((60, 200),)
        writer.write(make_batch(info, 60, 200))
    assert sha256(path) == clean(path, info)


def test_damaged_settings_are_refused(interrupted):
    info = run_info(200)
    path = interrupted(info)
    settings = path.parent / "cat.fits.part" / "run.json"
    body = json.loads(settings.read_text())
    body["info"]["seed"] += 1
    settings.write_text(json.dumps(body))
    for use in (lambda: finish(path), lambda: resume(path, info)):
        with pytest.raises(LedgerError, match=r"run\.json.*digest.*--overwrite"):
            use()
    assert settings.exists()
    write_catalog(path, [make_batch(info)], info, overwrite=True)
    assert verify(path).ok


@pytest.mark.parametrize("left", [None, 1000])
def test_data_that_are_not_there_are_not_trusted(interrupted, left: int | None):
    info = run_info(200)
    path = interrupted(info)
    data = path.parent / "cat.fits.part" / "0.data"
    if left is None:
        data.unlink()
    else:
        os.truncate(data, left)
    with pytest.raises(LedgerError, match="missing or of another size"):
        resume(path, info)


def test_finish_says_what_is_missing(interrupted):
    path = interrupted(run_info(200))
    with pytest.raises(UnfinishedError, match=r"120 of 200 .* \(60\.\.99, 120\.\.199\)"):
        finish(path)
    assert not path.exists()
    with pytest.raises(UnfinishedError, match="no unfinished run"):
        finish(path.with_name("other.fits"))


@pytest.mark.parametrize(("per_file", "files"), [(None, 1), (45, 3)])
def test_a_partial_catalogue(interrupted, per_file: int | None, files: int):
    info = run_info(200, per_file=per_file)
    path = interrupted(info)
    assert finish(path, partial=True) == 60
    paths = sorted(path.parent.iterdir())
    assert len(paths) == files
    expected, found = make_batch(info, 0, 60), []
    for name in paths:
        accept(name)
        comment = fits.getheader(name)["COMMENT"][0]
        assert comment.startswith("Stopped after 60 of 200 galaxies.")
        if name != path or per_file is None:
            assert verify(name).ok
            with CatalogFile(name) as file:
                found.append(file.stamps())
    np.testing.assert_array_equal(np.concatenate(found), expected.stamps_nbhw)


def test_partial_needs_the_first_galaxy(tmp_path: Path):
    info = run_info(9)
    writer = CatalogWriter(tmp_path / "cat.fits", info)
    writer.write(make_batch(info, 5, 9))
    writer.close()
    with pytest.raises(UnfinishedError, match=r"5 of 9 galaxies are missing \(0\.\.4\)"):
        finish(tmp_path / "cat.fits", partial=True)


@pytest.mark.parametrize("per_file", [None, 50])
def test_a_kill_while_finishing_can_be_repaired(tmp_path: Path, per_file: int | None):
    """After headers, after one name, after all names."""
    path, info = tmp_path / "cat.fits", run_info(200, per_file=per_file)
    writer = CatalogWriter(path, info)
    writer.write(make_batch(info))
    writer.close()
    unfinished = shutil.copytree(tmp_path / "cat.fits.part", tmp_path / "copy")
    finish(path)
    named = [path] if per_file is None else sorted(tmp_path.glob("cat.*.fits"))
    digests = [sha256(name) for name in named]
    for moved in range(len(named) + 1):
        shutil.copytree(unfinished, tmp_path / "cat.fits.part")
        for number, name in enumerate(named):
            data = tmp_path / "cat.fits.part" / f"{number}.data"
            if number < moved:
                data.unlink()
            else:
                name.rename(data)
        assert finish(path) == 200
        assert [sha256(name) for name in named] == digests
        assert not (tmp_path / "cat.fits.part").exists()


def test_what_kills_leave_beside_is_removed(interrupted):
    """Of a kill while a ledger was created or removed."""
    info = run_info(200)
    path = interrupted(info)
    for name in (".cat.fits.part.0123abcd", ".other.fits.part.0123abcd"):
        (path.parent / name).mkdir()
        (path.parent / name / "0.data").write_bytes(b"left")
    resume(path, info)
    assert sorted(os.listdir(path.parent)) == [".other.fits.part.0123abcd", "cat.fits"]


def test_a_read_only_folder_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(OutputError, match="not writable"):
        CatalogWriter(tmp_path / "cat.fits", run_info())
    assert os.listdir(tmp_path) == []
