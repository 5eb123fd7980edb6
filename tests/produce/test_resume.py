"""Catalogues made in pieces, by processes that are stopped and killed: always the same bytes."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from astropy.io import fits

from galgen.catalog import verify
from tests.catalog.synthetic import accept, sha256

N = 240
MANY = 20_000  # more than can be made before a test stops it

# Records every batch, not every two seconds: these runs are shorter than that.
SCRIPT = """
from galgen.catalog.write import recorder
from galgen.cli import main
if __name__ == "__main__":
    recorder.RECORD_SECONDS = 0
    main()
"""


@pytest.fixture(scope="module")
def asked(tiny_weights: Path) -> list[str]:
    """The run of every test here: random weights, and two categories."""
    options = {"category": "spiral:1,smooth:1", "n": N, "weights": tiny_weights, "steps": 2}
    options |= {"batch": 8, "seed": 5}
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def expected(asked: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the catalogue that one process makes without interruption."""
    path = tmp_path_factory.mktemp("expected") / "cat.fits"
    words = [sys.executable, "-m", "galgen", "mass", "--quiet", *asked, "--out", path]
    subprocess.run(words, check=True)
    accept(path)
    return sha256(path)


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command line, for processes that are to be killed."""
    path = tmp_path_factory.mktemp("script") / "run_galgen.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def start(script):
    """Start a command in a process of its own."""

    def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
        words = [sys.executable, str(script), *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        # A script's own folder is on the path, not this one.
        paths = os.pathsep.join(path for path in sys.path if path)
        return subprocess.Popen(
            words, env=os.environ | {"PYTHONPATH": paths} | environment, **pipes
        )

    return start


def records(path: Path) -> int:
    """Galaxies of an unfinished catalogue that are recorded."""
    names = [p.stem.split("-") for p in path.with_name(f"{path.name}.part").glob("0*-*.json")]
    return sum(int(stop) - int(start) for start, stop in names)


def wait_for_records(path: Path, process: subprocess.Popen[str], galaxies: int = 1) -> None:
    """Wait until a run has recorded galaxies."""
    while process.poll() is None and records(path) < galaxies:
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()[1]


def slow(asked: list[str]) -> list[str]:
    """The same run with more galaxies, so that it can be stopped."""
    return [*asked, "--n", str(MANY)]


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
    assert galgen("resume", path)[:2] == (0, f"{path}: is finished.\n")
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


def test_a_job_array(galgen, start, asked, expected, tmp_path):
    path = tmp_path / "cat.fits"
    array = ("mass", *asked, "--out", path, "--njobs", 3)
    slurm = {"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_MIN": "3"}  # may begin anywhere
    process = start(*array, **slurm)
    assert galgen(*array, "--job", 0)[0] == 0  # at the same time
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert galgen("finish", path)[0] == 4
    code, out, err = galgen(*array, "--job", 2)
    assert code == 0, err
    assert f"galgen finish {path}" in out
    assert galgen(*array, "--job", 1)[0] == 0  # nothing is left to do
    assert galgen("finish", path)[0] == 0
    assert sha256(path) == expected
    assert galgen(*array, "--job", 2)[0] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--njobs", 0, "--job", 0), ["njobs"]),
        (("--njobs", 2, "--job", 2), ["job", "0..1"]),
        (("--njobs", 2), ["SLURM_ARRAY_TASK_ID"]),
        (("--job", 2), ["--njobs"]),
        (("--njobs", 2, "--job", 0, "--overwrite"), ["overwrite"]),
        (("--workers", 2, "--scheduler", "tcp://localhost:1"), ["--workers and --scheduler"]),
        (("--workers", 0), ["workers"]),
        (("--workers", 2, "--device", "cuda:0"), ["device"]),
        (("--date", "yesterday"), ["date", "ISO 8601"]),
        (("--max-file-size", "5 parsec"), ["size", "10GB"]),
        (("--max-file-size", "5kB"), ["max-file-size"]),
    ],
)
def test_what_cannot_be_is_refused(galgen, asked, tmp_path, monkeypatch, options, words):
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID", raising=False)
    code, _, err = galgen("mass", *asked, "--out", tmp_path / "cat.fits", *options)
    assert code == 2, err
    for word in words:
        assert word in err
    assert os.listdir(tmp_path) == []


def test_the_date_of_reproducible_builds(galgen, asked, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    assert galgen("mass", *asked, "--out", tmp_path / "cat.fits")[0] == 0
    assert fits.getheader(tmp_path / "cat.fits")["DATE"] == "2026-01-01T00:00:00"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    code, _, err = galgen("mass", *asked, "--out", tmp_path / "other.fits")
    assert code == 2
    assert "SOURCE_DATE_EPOCH" in err


def test_a_dask_cluster_one_of_whose_workers_is_killed(start, asked, expected, tmp_path):
    distributed = pytest.importorskip("distributed")
    path = tmp_path / "cat.fits"
    options = {"processes": True, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(n_workers=2, silence_logs=50, **options) as cluster:
        process = start("mass", *asked, "--out", path, "--scheduler", cluster.scheduler_address)
        wait_for_records(path, process, 8)
        os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert sha256(path) == expected


SBATCH = """#!/bin/sh
job=$(mktemp) && cp "$1" "$job"  # the caller removes its own
bash "$job" >"$job.log" 2>&1 &
echo "Submitted batch job $!"
"""


def test_dask_workers_in_slurm_jobs(start, asked, expected, tmp_path):
    """With Slurm's commands replaced by a shell, which is what Slurm runs jobs in."""
    pytest.importorskip("dask_jobqueue")
    path, commands = tmp_path / "out" / "cat.fits", tmp_path / "bin"
    path.parent.mkdir()
    commands.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", "#!/bin/sh\nkill $1\n")):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    settings = {"CORES": "1", "PROCESSES": "1", "MEMORY": "2GB", "LOCAL_DIRECTORY": str(tmp_path)}
    environment = {f"DASK_JOBQUEUE__SLURM__{key}": value for key, value in settings.items()}
    environment["TMPDIR"] = str(tmp_path)
    environment["PATH"] = f"{commands}{os.pathsep}{os.environ['PATH']}"
    process = start("mass", *asked, "--out", path, "--slurm", 2, **environment)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert sha256(path) == expected


def test_a_scheduler_that_is_not_there(galgen, asked, tmp_path):
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    options = ("--out", tmp_path / "cat.fits", "--scheduler", "tcp://127.0.0.1:9")
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        code, _, err = galgen("mass", *asked, *options)
    assert code == 2
    assert "tcp://127.0.0.1:9" in err


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
