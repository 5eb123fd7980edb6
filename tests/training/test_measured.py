"""Measuring training galaxies: on any number of cores, once, and kept."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import galgen
from galgen.data import StampSet, open_stamps
from galgen.errors import InterruptedRunError
from galgen.measure import properties, property_names
from galgen.training import cache, measured
from galgen.training.measured import measured_properties

NAMES = property_names("gri")


@pytest.fixture
def stamps(galaxies: Path) -> StampSet:
    return open_stamps(galaxies, 32)


@pytest.fixture
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "_CHUNK", 5)


def forbid_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    def properties(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(measured, "properties", properties)


def kept(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_neither_chunks_nor_cores_show(stamps: StampSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit."""
    whole = measured_properties(stamps, NAMES)
    assert np.isfinite(whole).mean() > 0.9
    monkeypatch.setattr(measured, "_CHUNK", 5)
    threads = torch.get_num_threads()
    try:
        for cores in (1, 3):
            torch.set_num_threads(cores)
            np.testing.assert_array_equal(measured_properties(stamps, NAMES), whole)
            assert torch.get_num_threads() == cores
    finally:
        torch.set_num_threads(threads)


@pytest.mark.usefixtures("few_at_a_time")
def test_progress(stamps: StampSet) -> None:
    seen = []
    measured_properties(stamps, NAMES, report=lambda *counts: seen.append(counts))
    assert seen == [(5, 24), (10, 24), (15, 24), (20, 24), (24, 24)]


def test_measured_once(stamps: StampSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not again for other labels, another order or choice."""
    first = measured_properties(stamps, NAMES, folders=[tmp_path / "new" / "folder"])
    forbid_measuring(monkeypatch)
    order = np.random.default_rng(0).permutation(24)[:20]
    some = dataclasses.replace(stamps, category=stamps.category[::-1]).select(order)
    again = measured_properties(some, NAMES, folders=[tmp_path / "new" / "folder"])
    np.testing.assert_array_equal(again, first[order])


def test_what_is_new_is_measured(stamps: StampSet, tmp_path: Path) -> None:
    seen = []
    whole = measured_properties(stamps, NAMES)
    measured_properties(stamps.select(slice(0, 20)), NAMES, folders=[tmp_path])
    got = measured_properties(
        stamps, NAMES, folders=[tmp_path], report=lambda *counts: seen.append(counts)
    )
    np.testing.assert_array_equal(got, whole)
    assert seen == [(24, 24)]


@pytest.mark.parametrize(
    "change",
    [{"pixel_scale": 0.2}, {"lupton": None}, {"lupton": None, "bands": ("u", "g", "r")}],
    ids=["pixel scale", "stretch", "bands"],
)
def test_what_values_depend_on(stamps: StampSet, tmp_path: Path, change: dict) -> None:
    """Kept in a file of its own, whose name follows from it."""
    changed = dataclasses.replace(stamps, **change)
    names = {cache.MeasurementCache([tmp_path], one)._name for one in (stamps, changed)}
    assert len(names) == 2


def test_version_covers_all_code_that_measures(stamps: StampSet) -> None:
    """Wherever that has moved to."""
    ran = set()
    sys.setprofile(lambda frame, *_: ran.add(Path(frame.f_code.co_filename)))
    try:
        properties(stamps.flux(), stamps.bands)
    finally:
        sys.setprofile(None)
    package = Path(galgen.__file__).parent
    ours = {path for path in ran if path.is_relative_to(package)}
    assert len(ours) > 5
    assert ours <= set(cache.measuring_sources())


def test_another_measurement_is_kept_apart(
    stamps: StampSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured_properties(stamps, NAMES, folders=[tmp_path])
    monkeypatch.setattr(cache, "measurement_version", lambda: "another")
    measured_properties(stamps, NAMES, folders=[tmp_path])
    assert len(list(tmp_path.iterdir())) == 2


def test_one_changed_pixel_is_another_galaxy(stamps: StampSet, tmp_path: Path) -> None:
    measured_properties(stamps, NAMES, folders=[tmp_path])
    pixels = stamps.pixels.copy()
    pixels[3, 16, 16] //= 2
    changed, seen = dataclasses.replace(stamps, pixels=pixels), []
    got = measured_properties(
        changed, NAMES, folders=[tmp_path], report=lambda *counts: seen.append(counts)
    )
    np.testing.assert_array_equal(got, measured_properties(changed, NAMES))
    assert seen == [(24, 24)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content[:400] + bytes([content[400] ^ 128]) + content[401:],
        lambda content: b"\x80\x04N." * 100,
    ],
    ids=["empty", "cut off", "last byte", "some byte", "a pickle"],
)
def test_damaged_file_is_made_again(stamps: StampSet, tmp_path: Path, damage) -> None:
    whole = measured_properties(stamps, NAMES, folders=[tmp_path])
    path = kept(tmp_path)
    good = path.read_bytes()
    path.write_bytes(damage(good))
    got = measured_properties(stamps, NAMES, folders=[tmp_path])
    np.testing.assert_array_equal(got, whole)
    assert kept(tmp_path).read_bytes() == good


def test_file_of_another_name_is_not_believed(stamps: StampSet, tmp_path: Path) -> None:
    """What it holds was measured in another way."""
    other = dataclasses.replace(stamps, pixel_scale=0.1)
    wrong = measured_properties(other, NAMES, folders=[tmp_path])
    kept(tmp_path).rename(tmp_path / cache.MeasurementCache([tmp_path], stamps)._name)
    got = measured_properties(stamps, NAMES, folders=[tmp_path])
    assert not np.array_equal(got, wrong, equal_nan=True)
    np.testing.assert_array_equal(got, measured_properties(stamps, NAMES))


def test_folder_that_cannot_be_written(
    stamps: StampSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one serves; a file stands in for a folder, as root may write anywhere."""
    (tmp_path / "file").write_text("")
    folders = [tmp_path / "file" / "cache", tmp_path / "second"]
    whole = measured_properties(stamps, NAMES, folders=folders)
    np.testing.assert_array_equal(measured_properties(stamps, NAMES, folders=folders[:1]), whole)
    forbid_measuring(monkeypatch)
    np.testing.assert_array_equal(measured_properties(stamps, NAMES, folders=folders), whole)


@pytest.mark.usefixtures("few_at_a_time")
def test_out_of_time(stamps: StampSet, tmp_path: Path) -> None:
    """What is measured is kept, and the next run goes on from there."""
    asked = iter([False, True])
    with pytest.raises(
        InterruptedRunError, match=r"10 of 24 galaxies have been measured, and are kept"
    ):
        measured_properties(stamps, NAMES, folders=[tmp_path], stop=lambda: next(asked))
    seen = []
    got = measured_properties(
        stamps, NAMES, folders=[tmp_path], report=lambda *counts: seen.append(counts)
    )
    assert seen == [(15, 24), (20, 24), (24, 24)]
    np.testing.assert_array_equal(got, measured_properties(stamps, NAMES))


@pytest.mark.usefixtures("few_at_a_time")
def test_saved_now_and_then(
    stamps: StampSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For those who are killed."""
    monkeypatch.setattr(measured, "_SAVE_SECONDS", -1.0)
    sizes = []
    measured_properties(
        stamps,
        NAMES,
        folders=[tmp_path],
        report=lambda *_: sizes.extend(f.stat().st_size for f in tmp_path.iterdir()),
    )
    assert len(set(sizes)) == 4
