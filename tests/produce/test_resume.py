"""Catalogues made by processes that are stopped and killed: always the same bytes."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from galgen.catalog import verify
from tests.catalog.synthetic import sha256
from tests.produce.processes import MANY, N, records, slow, wait_for_records


@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGTERM, 2)]
)
def test_a_signal_stops_with_what_is_in_hand(galgen, start, asked, tmp_path, number, workers):
    path = tmp_path / "cat.fits"
    process = start("mass", *slow(asked), "--out", path, "--workers", workers)
    wait_for_records(path, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 3, err
    assert "stopped after" in err
    assert f"galgen resume {path}" in err
    assert f".part keeps {records(path)} of {MANY} galaxies" in err
    assert os.listdir(tmp_path) == ["cat.fits.part"]
    code, _, err = galgen("finish", path)
    assert code == 4
    assert "are missing" in err
    assert galgen("finish", "--partial", path)[0] == 0
    report = verify(path)
    assert report.ok
    assert report.galaxies > 0


@pytest.mark.parametrize(("workers", "then"), [(1, 2), (2, 1)])
def test_killed_and_resumed_with_other_workers(
    galgen, start, asked, expected, tmp_path, workers, then
):
    path = tmp_path / "cat.fits"
    process = start("mass", *asked, "--out", path, "--workers", workers)
    wait_for_records(path, process, 8)
    process.kill()
    process.communicate()
    assert 8 <= records(path) < N
    code, _, err = galgen("resume", path, "--workers", then)
    assert code == 0, err
    assert sha256(path) == expected
    assert os.listdir(tmp_path) == ["cat.fits"]
    # Now there is nothing to do.
    for command in ("resume", "finish"):
        assert galgen(command, path)[:2] == (0, f"{path}: is finished.\n")
    assert galgen("mass", *asked, "--out", path, "--resume")[0] == 0
    assert sha256(path) == expected


def test_resume_of_another_run_names_the_differences(galgen, start, asked, tmp_path):
    path = tmp_path / "cat.fits"
    process = start("mass", *slow(asked), "--out", path)
    wait_for_records(path, process)
    process.kill()
    process.communicate()
    other = ("--seed", 6, "--steps", 3, "--resume")
    code, _, err = galgen("mass", *slow(asked), "--out", path, *other)
    assert code == 2
    assert "seed 5, now 6" in err
    assert "steps 2, now 3" in err
    code, _, err = galgen("mass", *asked, "--out", path)
    assert code == 2
    assert "unfinished run" in err


def test_a_killed_worker_ends_the_run_but_loses_nothing(start, asked, tmp_path):
    path = tmp_path / "cat.fits"
    process = start("mass", *slow(asked), "--out", path, "--workers", 2)
    wait_for_records(path, process)
    os.kill(worker_of(process.pid), signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert "worker process has died" in err
    assert ".part keeps" in err
    assert records(path) > 0


def worker_of(pid: int) -> int:
    """A child that was spawned to work, not multiprocessing's tracker of resources."""
    for name in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((name / "stat").read_text().rsplit(")")[-1].split()[1])
            if parent == pid and b"spawn_main" in (name / "cmdline").read_bytes():
                return int(name.name)
        except OSError:  # has ended
            continue
    raise AssertionError("there is no worker")


def test_file_systems_that_are_full_or_read_only(script, asked, expected, tmp_path):
    """Real ones, small, in a namespace of this test."""
    if shutil.which("unshare") is None or not can_mount():
        pytest.skip("this system does not let tests mount file systems")
    disk = tmp_path / "disk"
    disk.mkdir()
    galgen = f"PYTHONPATH={os.pathsep.join(filter(None, sys.path))} {sys.executable} {script}"
    run = f"{galgen} mass {shlex.join(asked)} --out {disk}/cat.fits"
    # The catalogue fits; something else then takes what is left, so that no record can be written.
    commands = f"""
        mount -t tmpfs -o ro none {disk}
        {run}; echo "read-only $?"
        mount -t tmpfs -o size=4m none {disk}
        {run} --n 1000000; echo "too large $?"
        ls {disk}
        {run} & while ! ls {disk}/cat.fits.part/0*-*.json 2>/dev/null; do sleep 0.02; done
        dd if=/dev/zero of={disk}/other 2>/dev/null; wait $!; echo "full $?"
        rm {disk}/other
        {galgen} resume {disk}/cat.fits; echo "resumed $?"
        cp {disk}/cat.fits {tmp_path}
    """
    mounted = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", commands]
    done = subprocess.run(mounted, capture_output=True, text=True)
    assert "read-only 2\n" in done.stdout, done
    assert "is not writable" in done.stderr
    assert "too large 2\n" in done.stdout, done
    assert "bytes" in done.stderr
    assert "full 1\n" in done.stdout, done
    assert "No space left" in done.stderr
    assert "resumed 0\n" in done.stdout, done
    assert sha256(tmp_path / "cat.fits") == expected


def can_mount() -> bool:
    mount = ["mount", "-t", "tmpfs", "none", "/mnt"]
    words = ["unshare", "--user", "--map-root-user", "--mount", *mount]
    return subprocess.run(words, capture_output=True).returncode == 0
