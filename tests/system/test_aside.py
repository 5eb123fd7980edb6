"""Names aside: nobody else's are touched, and who is killed or stopped leaves no half file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from galgen.errors import OutputError
from galgen.system.files import check_folder_output, check_output, written_aside, written_output

_WRITER = """
import sys, time
from pathlib import Path
from galgen.system.files import written_output
from galgen.system.signals import end_with_cleanup
end_with_cleanup()
with written_output(Path(sys.argv[1])) as aside:
    aside.write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


@contextmanager
def writing(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Have another process write an output, and not end."""
    words = [sys.executable, "-c", _WRITER, str(path)]
    paths = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"PYTHONPATH": paths}
    # Under nohup SIGHUP is ignored, and would be by the process, too.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    signal.signal(signal.SIGHUP, before)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_second_writer_of_a_name_is_refused(tmp_path: Path):
    path = tmp_path / "file"
    with writing(path):
        with pytest.raises(OutputError, match="another process is writing it"):
            check_output(path, overwrite=True)
        with pytest.raises(OutputError, match="another process"), written_output(path):
            pass
        with written_aside(tmp_path / "file2") as aside:  # another name
            aside.touch()
    with written_output(path) as aside:
        aside.write_text("whole")
    assert path.read_text() == "whole"
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "file2"]


def test_two_writers_in_one_process(tmp_path: Path):
    path = tmp_path / "file"
    with written_aside(path) as aside:
        aside.write_text("first")
        with pytest.raises(OutputError, match="another process"), written_aside(path):
            pass
    assert path.read_text() == "first"


@pytest.mark.parametrize(
    ("number", "code", "left"),
    [(signal.SIGTERM, 143, 0), (signal.SIGHUP, 129, 0), (signal.SIGKILL, -9, 1)],
)
def test_who_is_stopped_leaves_nothing(tmp_path: Path, number: int, code: int, left: int):
    """Or, killed, what the next one removes."""
    path = tmp_path / "file"
    path.write_text("old")
    with writing(path) as process:
        process.send_signal(number)
        assert process.wait(20) == code
    assert path.read_text() == "old"
    assert len(os.listdir(tmp_path)) == 1 + left
    with written_output(path) as aside:
        aside.write_text("new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["file"]


def test_what_only_looks_like_an_aside_stays(tmp_path: Path):
    path = tmp_path / "c.fits"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "lock").touch()
    link = tmp_path / ".c.fits.00112233445566.part"
    for name in (".c.fits.part", ".c.fits.001122334455.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lock").touch()
        (tmp_path / name / "thesis.tex").touch()
    link = tmp_path / ".c.fits.aabbccddeeff.part"
    link.symlink_to(elsewhere)
    before = sorted(tmp_path.rglob("*"))
    with written_output(path) as aside:
        aside.touch()
    assert sorted(tmp_path.rglob("*")) == sorted([*before, path])


@pytest.mark.parametrize("left", [[], ["lock"], ["lock", "file"], ["lock", "old"]])
def test_whatever_a_kill_leaves_is_removed(tmp_path: Path, left: list[str]):
    """Before there is a lock, or while all was being removed, the lock last."""
    aside = tmp_path / ".file.001122334455.part"
    aside.mkdir()
    for name in left:
        (aside / name).touch()
    with written_output(tmp_path / "file") as new:
        new.touch()
    assert os.listdir(tmp_path) == ["file"]


def test_the_lock_is_removed_last(tmp_path: Path, monkeypatch):
    removed: list[str] = []
    unlink = os.unlink

    def note(path, **at):
        removed.append(os.path.basename(path))
        unlink(path, **at)

    monkeypatch.setattr(os, "unlink", note)
    with pytest.raises(ValueError, match="no"), written_output(tmp_path / "file") as aside:  # noqa: PT012
        for name in ("zebra", "aardvark"):
            aside.with_name(name).touch()
        raise ValueError("no")
    assert removed[-1] == "lock"
    assert set(removed) == {"zebra", "aardvark", "lock"}
    assert not os.listdir(tmp_path)


def test_a_folder_that_was_being_replaced_comes_back(tmp_path: Path):
    """A kill between two names."""
    path = tmp_path / "folder"
    aside = tmp_path / ".folder.001122334455.part"
    (aside / "old").mkdir(parents=True)
    (aside / "old" / "precious").touch()
    (aside / "lock").touch()
    with pytest.raises(ValueError, match="no"), written_output(path):  # noqa: PT012
        assert (path / "precious").exists()
        raise ValueError("no")
    assert [*tmp_path.iterdir()] == [path]


def test_what_appears_meanwhile_is_not_replaced(tmp_path: Path):
    path = tmp_path / "file"
    with (  # noqa: PT012
        pytest.raises(OutputError, match="appeared meanwhile"),
        written_output(path, overwrite=False) as aside,
    ):
        aside.touch()
        path.write_text("precious")
    assert path.read_text() == "precious"


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("kind", ["same", "hard link", "symlink", "dots"])
def test_an_input_is_never_replaced(tmp_path: Path, kind: str, overwrite: bool):
    given, out = tmp_path / "in.fits", tmp_path / "out.fits"
    given.write_text("precious")
    if kind == "hard link":
        out.hardlink_to(given)
    elif kind == "symlink":
        out.symlink_to(given)
    else:
        out = given if kind == "same" else tmp_path / ".." / tmp_path.name / "in.fits"
    with pytest.raises(OutputError, match="is the input"):
        check_output(out, overwrite, [given])
    check_output(tmp_path / "other.fits", overwrite, [given, tmp_path / "missing"])


def test_a_folder_with_the_input_in_it_is_not_replaced(tmp_path: Path):
    given = tmp_path / "export" / "deep" / "in.fits"
    given.parent.mkdir(parents=True)
    given.touch()
    with pytest.raises(OutputError, match="in it"):
        check_folder_output(tmp_path / "export", True, lambda folder: True, [given])


@pytest.mark.parametrize("name", ["null", "pipe"])
def test_devices_are_refused(tmp_path: Path, name: str):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OutputError, match="is a device"):
        check_output(pipe if name == "pipe" else Path("/dev/null"), overwrite=True)


def test_other_names_that_are_refused(tmp_path: Path):
    with pytest.raises(OutputError, match="name is too long"):
        check_output(tmp_path / ("n" * 240), overwrite=True)
    longest = tmp_path / ("n" * 231)
    check_output(longest, overwrite=True)
    with written_output(longest) as aside:
        aside.touch()
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    with pytest.raises(OutputError, match="exists"):
        check_output(tmp_path / "link", overwrite=False)
    (tmp_path / "cat.fits.part").mkdir()
    with pytest.raises(OutputError, match="not finished"):
        check_output(tmp_path / "cat.fits", overwrite=True)
