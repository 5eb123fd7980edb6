"""Damage to what is recorded is never sealed; what is not galgen's is never removed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from galgen.catalog import CatalogWriter, finish, verify
from galgen.catalog.format.layout import plan
from galgen.catalog.write import recorder
from galgen.catalog.write.jsonfile import digest
from galgen.errors import LedgerError, OutputError, UnfinishedError
from tests.catalog.synthetic import accept, make_batch, run_info, sha256
from tests.catalog.write.runs import clean, resume


@pytest.fixture(autouse=True)
def many_records(monkeypatch) -> None:
    monkeypatch.setattr(recorder, "RECORD_BYTES", 1)  # every batch


def record_all(path: Path, info, step: int = 20) -> Path:
    """Write all galaxies of a run, in records of some, and leave it unfinished."""
    writer = CatalogWriter(path, info)
    for start in range(0, info.n, step):
        writer.write(make_batch(info, start, start + step))
    writer.close()
    return path.with_name(f"{path.name}.part")


def flip(file: Path, at: int, size: int = 1) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        found = opened.read(size)
        opened.seek(at)
        opened.write(bytes(byte ^ 255 for byte in found))


def change_stamp(part: Path, info, galaxy: int, hdu: int = 2) -> None:
    """Change a byte of a galaxy: of its row (1) or of a stamp (2 to 4)."""
    layout = CatalogWriter(part.parent / "layout.fits", info).files[0]
    shutil.rmtree(part.parent / "layout.fits.part")
    where = layout.hdus[hdu]
    flip(part / "0.data", where.data_start + galaxy * where.stride + 3)


@pytest.mark.parametrize("hdu", [1, 2, 4])
@pytest.mark.parametrize("whole", [True, False])
def test_damaged_galaxies_are_not_sealed(tmp_path: Path, hdu: int, whole: bool):
    path, info = tmp_path / "cat.fits", run_info(200)
    part = record_all(path, info)
    if not whole:
        next(part.glob("*0160-*0180.json")).unlink()
    change_stamp(part, info, 107, hdu)
    assert any("galaxies 100 to 119 count as missing" in line for line in verify(path).problems)
    with pytest.raises(UnfinishedError, match=r"100\.\.119" if whole else r"160\.\.179"):
        finish(path)
    kept = shutil.copytree(part, tmp_path / "kept")
    assert finish(path, partial=True) == 100
    assert verify(path).ok
    accept(path)
    path.unlink()
    kept.rename(part)
    assert (100, 120) in resume(path, info)
    assert sha256(path) == clean(path, info)


def test_galaxies_that_have_changed_places_count_as_missing(tmp_path: Path):
    """Their sums are as they were recorded."""
    path, info = tmp_path / "cat.fits", run_info(200)
    part = record_all(path, info)
    place = plan(info).hdus[2].data_start
    data = bytearray((part / "0.data").read_bytes())
    data[place : place + 8] = data[place + 4 : place + 8] + data[place : place + 4]
    (part / "0.data").write_bytes(data)
    with pytest.raises(UnfinishedError, match="galaxies 0 to 19 count as missing"):
        finish(path)
    assert resume(path, info) == ((0, 20),)
    assert sha256(path) == clean(path, info)


@pytest.mark.parametrize("size", [0, 4096, 70_000])
def test_a_truncated_run_is_not_sealed(tmp_path: Path, size: int):
    path, info = tmp_path / "cat.fits", run_info(200)
    part = record_all(path, info)
    os.truncate(part / "0.data", size)
    with pytest.raises(UnfinishedError, match="count as missing"):
        finish(path)
    resume(path, info)
    assert sha256(path) == clean(path, info)


def test_what_fills_up_blocks_is_written_too(tmp_path: Path):
    path, info = tmp_path / "cat.fits", run_info(200)
    part = record_all(path, info)
    with CatalogWriter(path, info, resume=True) as writer:
        for hdu in writer.files[0].hdus[1:]:
            flip(
                part / "0.data",
                hdu.data_start + hdu.data_bytes,
                hdu.stop - hdu.data_start - hdu.data_bytes,
            )
        with (part / "0.data").open("ab") as file:
            file.write(b"more")
    assert sha256(path) == clean(path, info)


@pytest.mark.parametrize("what", ["record", "run.json"])
def test_records_of_another_run_are_not_used(tmp_path: Path, what: str):
    """As both were put in with their digests."""
    path, info, other = tmp_path / "cat.fits", run_info(200), run_info(200, seed=5)
    part = record_all(path, info)
    theirs = record_all(tmp_path / "other.fits", other)
    name = "run.json" if what == "run.json" else "000000000020-000000000040.json"
    shutil.copy(theirs / name, part / name)
    with pytest.raises(UnfinishedError, match="it is of another run"):
        finish(path)
    now = other if what == "run.json" else info
    assert resume(path, now) == (((0, 200),) if now is other else ((20, 40),))
    assert sha256(path) == clean(path, now)


def test_a_record_of_somebody_elses_bytes(tmp_path: Path):
    path, info = tmp_path / "cat.fits", run_info(200)
    part = record_all(path, info)
    file = part / "000000000020-000000000040.json"
    body = json.loads(file.read_text())
    del body["sha256"]
    body["sums"][1] += 1
    file.write_text(json.dumps(body | {"sha256": digest(body)}))
    assert resume(path, info) == ((20, 40),)
    assert sha256(path) == clean(path, info)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body | {"sums": body["sums"][1:]},
        lambda body: body | {"sums": [str(value) for value in body["sums"]]},
        lambda body: body | {"sums": [-1] * 5},
        lambda body: body | {"sums": None},
        lambda body: body | {"crcs": [None] * 5},
        lambda body: body | {"crcs": body["crcs"][1:]},
        lambda body: {key: value for key, value in body.items() if key != "crcs"},
        lambda body: body | {"stop": 41},
        lambda body: body | {"start": 20.0},
        lambda body: body | {"run": None},
        lambda body: {"run": body["run"]},
    ],
)
def test_records_that_say_nothing_are_not_used(tmp_path: Path, change: Callable):
    path, info = tmp_path / "cat.fits", run_info(200)
    part = record_all(path, info)
    file = part / "000000000020-000000000040.json"
    body = json.loads(file.read_text())
    del body["sha256"]
    body = change(body)
    file.write_text(json.dumps(body | {"sha256": digest(body)}))
    assert resume(path, info) == ((20, 40),)
    assert sha256(path) == clean(path, info)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("partial", [False, True])
def test_a_ledger_of_a_version_before_is_gone_on_with(tmp_path: Path, version: int, partial: bool):
    """Its records had sums, and no CRCs; those of the first did not name their run."""
    path, info = tmp_path / "cat.fits", run_info(200)
    part = record_all(path, info)
    next(part.glob("*0160-*0180.json")).unlink()
    for file in part.glob("*.json"):
        body = json.loads(file.read_text())
        del body["sha256"]
        if file.name == "run.json":
            body["version"] = version
        else:
            del body["crcs"]
            if version == 1:
                del body["run"]
        file.write_text(json.dumps(body | {"sha256": digest(body)}))
    if partial:
        assert finish(path, partial=True) == 160
        assert verify(path).ok
        return
    assert resume(path, info) == ((160, 180),)
    assert sha256(path) == clean(path, info)


@pytest.mark.parametrize("per_file", [50])
def test_damage_after_a_kill_while_finishing(tmp_path: Path, per_file: int):
    """Some files have their names already, one of which is damaged then."""
    path, info = tmp_path / "cat.fits", run_info(200, per_file=per_file)
    part = record_all(path, info, 25)
    kept = shutil.copytree(part, tmp_path / "kept")
    finish(path)
    digests = [sha256(name) for name in sorted(tmp_path.glob("cat.*.fits"))]
    kept.rename(part)
    for number in (0, 1):
        (part / f"{number}.data").unlink()
    for number in (2, 3):
        (tmp_path / f"cat.{number:04d}.fits").unlink()
    path.unlink()
    flip(tmp_path / "cat.0001.fits", (tmp_path / "cat.0001.fits").stat().st_size - 3000)
    with pytest.raises(UnfinishedError, match=r"cat\.0001\.fits: galaxies"):
        finish(path)
    assert sum(stop - start for start, stop in resume(path, info)) == 25
    assert [sha256(name) for name in sorted(tmp_path.glob("cat.*.fits"))] == digests


@pytest.mark.parametrize("resumed", [True, False])
def test_links_are_not_followed(tmp_path: Path, resumed: bool):
    path, info = tmp_path / "cat.fits", run_info(200)
    part, precious = record_all(path, info), tmp_path / "precious"
    (part / "0.data").rename(precious)
    digest_before = sha256(precious)
    (part / "0.data").symlink_to(precious)
    with pytest.raises((OutputError, UnfinishedError)):
        resume(path, info) if resumed else finish(path)
    assert sha256(precious) == digest_before
    part.rename(tmp_path / "elsewhere.part")
    part.symlink_to(tmp_path / "elsewhere.part")
    with pytest.raises(LedgerError, match="is a link"):
        resume(path, info)
    with pytest.raises(OutputError, match="not galgen's"):
        CatalogWriter(path, info, overwrite=True)
    assert len(os.listdir(tmp_path / "elsewhere.part")) == 12


@pytest.mark.parametrize("what", ["folder", "file", "added", "fifo"])
def test_what_is_not_galgens_stays(tmp_path: Path, what: str):
    path, info, part = tmp_path / "cat.fits", run_info(200), tmp_path / "cat.fits.part"
    if what == "folder":
        part.mkdir()
        (part / "thesis.tex").touch()
    elif what == "added":
        record_all(path, info)
        (part / "notes.txt").touch()
    elif what == "fifo":
        os.mkfifo(part)
    else:
        part.touch()
    with pytest.raises(OutputError, match="not galgen's"):
        CatalogWriter(path, info, overwrite=True)
    if what == "added":
        finish(path)
        assert verify(path).ok
        assert os.listdir(part) == ["notes.txt"]
    else:
        assert os.path.lexists(part)


def test_a_pipe_in_place_of_a_record_or_the_run_does_not_hang(tmp_path: Path):
    path, info = tmp_path / "cat.fits", run_info(200)
    part = record_all(path, info)
    record = part / "000000000020-000000000040.json"
    record.unlink()
    os.mkfifo(record)
    assert resume(path, info) == ((20, 40),)
    part = record_all(tmp_path / "other.fits", info)
    (part / "run.json").unlink()
    os.mkfifo(part / "run.json")
    with pytest.raises(LedgerError, match="cannot be used"):
        finish(tmp_path / "other.fits")
