"""Outputs: whole or not at all, and whose they are where several processes write."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from galgen.errors import InvalidValueError, OutputError, WriteError
from galgen.system.aside import remove_leftovers
from galgen.system.exchange import exchange
from galgen.system.files import (
    check_folder_output,
    check_output,
    remove_folder,
    written_aside,
    written_output,
)


@pytest.mark.parametrize("shared", [False, True])
def test_a_failed_write_leaves_the_old_file(tmp_path: Path, shared: bool):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"), written_aside(path, shared) as aside:  # noqa: PT012
        aside.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with written_aside(path, shared) as aside:
        aside.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_folder(tmp_path: Path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(KeyboardInterrupt), written_aside(path) as aside:  # noqa: PT012
        aside.mkdir()
        raise KeyboardInterrupt
    assert [*path.iterdir()] == [path / "old"]
    with written_aside(path) as aside:
        aside.mkdir()
        (aside / "new").touch()
    assert [*path.iterdir()] == [path / "new"]
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("can", [True, False])
def test_a_folder_replaces_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can: bool
) -> None:
    """Also where the system cannot exchange two names."""
    if not can:
        monkeypatch.setattr("galgen.system.files.exchange", lambda one, other: False)
    path = tmp_path / "folder"
    for number in range(3):
        with written_aside(path) as aside:
            aside.mkdir()
            (aside / str(number)).touch()
        assert [*path.iterdir()] == [path / str(number)]
        assert [*tmp_path.iterdir()] == [path]


def test_a_folder_that_is_replaced_is_always_there(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    if not exchange(path, path):
        pytest.skip("this file system cannot exchange two names")
    (path / "a").touch()
    (path / "b").touch()
    seen, over = set[str](), threading.Event()

    def look() -> None:
        while not over.is_set():
            seen.add(" ".join(sorted(os.listdir(path))))

    thread = threading.Thread(target=look)
    thread.start()
    for name in "cd" * 50:
        with written_aside(path) as aside:
            aside.mkdir()
            (aside / name).touch()
            (aside / "b").touch()
    over.set()
    thread.join()
    # A folder that is opened before it is replaced and listed after may be being emptied.
    assert seen <= {"a b", "b c", "b d", "a", "b", "c", "d", ""}
    assert exchange(path, tmp_path / "missing") is False
    assert sorted(os.listdir(path)) == ["b", "d"]


def test_a_file_never_replaces_a_folder(tmp_path: Path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(IsADirectoryError), written_aside(path) as aside:
        aside.touch()
    assert [*path.iterdir()] == [path / "old"]


def test_of_shared_folders_the_first_one_stays(tmp_path: Path):
    path = tmp_path / "folder"
    with pytest.raises(OSError, match="not empty"), written_aside(path, shared=True) as late:  # noqa: PT012
        late.mkdir()
        with written_aside(path, shared=True) as early:
            early.mkdir()
            (early / "early").touch()
        (late / "late").touch()
    assert [*path.iterdir()] == [path / "early"]
    assert [*tmp_path.iterdir()] == [path]


def test_shared_files_are_written_at_the_same_time(tmp_path: Path):
    path = tmp_path / "file"
    with written_aside(path, shared=True) as a, written_aside(path, shared=True) as b:
        a.write_text("a")
        b.write_text("b")
    assert path.read_text() == "a"  # the last one to end
    assert [*tmp_path.iterdir()] == [path]


def test_errors_of_the_system_become_those_of_an_output(tmp_path: Path):
    path = tmp_path / "file"
    with pytest.raises(WriteError, match=r"file: cannot be written: No space left") as caught:  # noqa: SIM117
        with written_output(path):
            raise OSError(28, "No space left on device")
    assert caught.value.exit_code == 1
    with pytest.raises(InvalidValueError, match="n is 0"), written_output(path):
        raise InvalidValueError("n", 0, "1 or more")
    with pytest.raises(OutputError, match="No such file"), written_output(path):
        pass  # and nothing was written
    assert list(tmp_path.iterdir()) == []


def test_what_kills_left(tmp_path: Path):
    path, left = tmp_path / "folder", tmp_path / ".folder.0123456789ab.part"
    others = [tmp_path / name for name in (".folder.part", ".folders.0123456789ab.part")]
    for folder in (path, left, *others):
        (folder / "folder").mkdir(parents=True)
    (others := [*others, tmp_path / ".folder.ba9876543210.part"])[-1].mkdir()
    (others[-1] / "precious").touch()
    remove_leftovers(path)
    assert sorted(tmp_path.iterdir()) == sorted([*others, path])
    remove_folder(path)
    assert sorted(tmp_path.iterdir()) == sorted(others)
    with pytest.raises(FileNotFoundError):
        remove_folder(path)


def test_outputs_that_are_refused(tmp_path: Path):
    with pytest.raises(OutputError, match="no folder"):
        check_output(tmp_path / "missing" / "file", overwrite=True)
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path, overwrite=True)
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(OutputError, match="exists"):
        check_output(path, overwrite=False)
    check_output(path, overwrite=True)


def test_folders_that_are_refused(tmp_path: Path):
    path = tmp_path / "folder"
    check_folder_output(path, overwrite=False, is_ours=lambda folder: False)
    path.mkdir()
    with pytest.raises(OutputError, match="exists"):
        check_folder_output(path, overwrite=False, is_ours=lambda folder: True)
    check_folder_output(path, overwrite=True, is_ours=lambda folder: False)  # empty
    (path / "precious").touch()
    with pytest.raises(OutputError, match="Remove it first"):
        check_folder_output(path, overwrite=True, is_ours=lambda folder: False)
    check_folder_output(path, overwrite=True, is_ours=lambda folder: True)
