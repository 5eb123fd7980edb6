"""Catalogues made by jobs of an array and by Dask: the bytes of one process; what is refused."""

from __future__ import annotations

import os
import signal

import pytest
from astropy.io import fits

from galgen.cli.route import Route
from galgen.errors import InvalidValueError
from tests.catalog.synthetic import sha256
from tests.produce.processes import wait_for_records


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
    ("array", "job"),
    [
        ({"ID": 3}, 3),
        ({"ID": 4, "MIN": 1, "COUNT": 4}, 3),  # --array=1-4
        ({"ID": 30, "MIN": 0, "COUNT": 4, "STEP": 10}, 3),  # --array=0-30:10
        ({"ID": 3, "MIN": 3, "COUNT": 1}, 3),  # --array=3, again
        ({"ID": 3, "MIN": 1, "COUNT": 2}, 3),  # --array=1,3, again
        ({"ID": 4, "MIN": 4, "COUNT": 1}, None),
        ({"ID": 0, "MIN": 0, "COUNT": 4, "STEP": 0}, None),
        ({"ID": "x"}, None),
    ],
)
def test_which_job_of_an_array(monkeypatch, array: dict[str, object], job: int | None):
    for name in ("ID", "MIN", "COUNT", "STEP"):
        monkeypatch.delenv(f"SLURM_ARRAY_TASK_{name}", raising=False)
    for name, value in array.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
    if job is None:
        with pytest.raises(InvalidValueError, match=r"0\.\.3"):
            Route(njobs=4).array_job(4)
    else:
        assert Route(njobs=4).array_job(4) == job


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
