"""What is recorded of an unfinished catalogue, and what becomes of records that are damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from galgen.catalog import CatalogWriter, finish, verify, write_catalog
from galgen.catalog.write import recorder
from galgen.errors import InvalidValueError, LedgerError
from tests.catalog.synthetic import make_batch, run_info, sha256
from tests.catalog.write.runs import MISSING, clean, resume


def test_records_of_consecutive_galaxies_become_one(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(recorder, "RECORD_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "_PER_RUN", 2)
    info = run_info(200)
    writer = CatalogWriter(tmp_path / "cat.fits", info)
    for start in range(0, 150, 10):
        writer.write(make_batch(info, start, start + 10))
    writer.close()
    part = tmp_path / "cat.fits.part"
    records = ["000000000000-000000000100.json", "000000000100-000000000150.json"]
    assert sorted(os.listdir(part)) == ["0.data", *records, "run.json"]
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
    for word in ("seed", "'dpmpp-2m', now 'heun'", "weights_sha256", "`overwrite=True`"):
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
        with pytest.raises(LedgerError, match=r"run\.json.*digest.*`overwrite=True`"):
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
    assert resume(path, info)[0] == (0, 200)
    assert sha256(path) == clean(path, info)


def test_what_kills_leave_beside_is_removed(interrupted):
    """Of a kill while a ledger was created or removed."""
    info = run_info(200)
    path = interrupted(info)
    other = ".other.fits.part.0123456789ab.part"
    for name in (".cat.fits.part.0123456789ab.part", other):
        (path.parent / name).mkdir()
    (path.parent / ".cat.fits.part.0123456789ab.part" / "cat.fits.part").mkdir()
    resume(path, info)
    assert sorted(os.listdir(path.parent)) == [other, "cat.fits"]
