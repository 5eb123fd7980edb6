"""Processes that train together: the same run as one process alone, and no half-dead ones."""

from __future__ import annotations

import dataclasses
import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from galgen.errors import InvalidValueError, WorkerLostError
from galgen.training import train
from galgen.training.config import TrainConfig
from galgen.training.group import Alone, Group
from galgen.training.presets import tiny
from galgen.training.workers import count_workers, together
from galgen.weights.tensors import load_tensors

CPU, GPU = torch.device("cpu"), torch.device("cuda")
BATCH, STEPS = 6, 4
GALAXIES = Path(__file__).parents[1] / "fixtures" / "galaxies64.zip"


def run(out: Path, workers: int, **options: object) -> None:
    """Train for a few steps on real galaxies."""
    config = TrainConfig(images=BATCH * STEPS, batch=BATCH, warmup=0, validation=0.2)
    preset = dataclasses.replace(tiny(), train=config)
    train([GALAXIES], preset, out, size=16, workers=workers, device="cpu", **options)


def checkpoint(out: Path) -> dict[str, torch.Tensor]:
    return load_tensors(out / "checkpoint.safetensors")[0]


@pytest.fixture(scope="module")
def run_by(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Folder of the run by so many processes, which is made once."""

    @functools.cache
    def made(workers: int) -> Path:
        out = tmp_path_factory.mktemp("together") / "run"
        run(out, workers)
        return out

    return made


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """Where every run begins."""
    out = tmp_path_factory.mktemp("start") / "run"
    run(out, 1, max_seconds=0.0)
    return checkpoint(out)


@pytest.mark.parametrize("workers", [2, 4])  # a batch of 6 among 4: shares of 2, 2, 1 and 1
def test_as_many_processes_as_you_like(run_by, start, workers: int) -> None:
    """The same run but for the rounding of sums in half precision."""
    alone, shared = checkpoint(run_by(1)), checkpoint(run_by(workers))
    assert alone.keys() == shared.keys()
    moved = [name for name in alone if name.startswith("trained.")]
    away = torch.cat([(alone[name] - start[name]).flatten() for name in moved])
    apart = torch.cat([(alone[name] - shared[name]).flatten() for name in moved])
    assert apart.norm() < 0.2 * away.norm()
    assert away.norm() > 0


def test_resumed_together(run_by) -> None:
    """Processes begin where the checkpoint is, and a finished run is left as it is."""
    first = checkpoint(run_by(2))
    run(run_by(2), 2, resume=True)
    again = checkpoint(run_by(2))
    assert all(torch.equal(first[name], again[name]) for name in first)


def double_until_told(group: Group, rounds: int) -> None:
    for _ in range(rounds):
        group.add(torch.full((3,), float(group.rank)))
    group.decided(-1.0)


def test_sums_and_decisions() -> None:
    with together(3, double_until_told, 2) as group:
        for _ in range(2):
            total = torch.full((3,), 10.0)
            group.add(total)
            assert total.tolist() == [13.0] * 3
        assert group.decided(7.0) == [7.0]
        assert torch.get_num_threads() == 1
    assert isinstance(group.rank, int)


def vanish(group: Group) -> None:
    group.add(torch.ones(1))
    os._exit(9)


def test_a_lost_process_ends_the_run() -> None:
    """The others are told at once, not after the patience of the group."""

    def go_on() -> None:
        with together(2, vanish) as group:
            for _ in range(2):
                group.add(torch.ones(1))

    with pytest.raises(WorkerLostError, match="resume=True"):
        go_on()


class Unsendable:
    """Something that ends the process which receives it."""

    def __reduce__(self) -> tuple:
        return os._exit, (3,)


def test_a_process_that_never_begins() -> None:
    with (
        pytest.raises(WorkerLostError, match="Try fewer workers"),
        together(2, double_until_told, Unsendable()),
    ):
        pass


# A child that ends before it reads what it is to do, as one that is killed for its memory may; in a
# process of its own, which ends in any case.
DIES_EARLY = """
import multiprocessing
from galgen.errors import WorkerLostError
from galgen.training.workers import together

def work(group, data):
    pass

if __name__ == "__main__":
    multiprocessing.set_executable({python!r})
    try:
        with together(3, work, bytes({size})):
            pass
    except WorkerLostError as error:
        print(error)
"""
PYTHON = """#!/bin/sh
case "$*" in *spawn_main*) exit 9;; esac
exec {python} "$@"
"""


@pytest.mark.parametrize("size", [1, 1 << 20], ids=["fits a pipe's buffer", "does not"])
def test_a_process_that_ends_before_it_reads(tmp_path: Path, size: int) -> None:
    python, script = tmp_path / "python", tmp_path / "dies_early.py"
    python.write_text(PYTHON.format(python=sys.executable))
    python.chmod(0o755)
    script.write_text(DIES_EARLY.format(python=str(python), size=size))
    paths = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    words = [sys.executable, str(script)]
    done = subprocess.run(
        words, env=os.environ | paths, capture_output=True, text=True, timeout=120
    )
    assert "Try fewer workers" in done.stdout, done.stderr


def test_alone() -> None:
    with together(1, double_until_told, 2) as group:
        assert isinstance(group, Alone)
        assert group.decided(1.5, 2.0) == [1.5, 2.0]


@pytest.mark.parametrize(
    ("device", "asked", "batch"), [(CPU, 0, 8), (CPU, 9, 8), (GPU, 2, 8), (CPU, -1, 8)]
)
def test_impossible_numbers_of_workers(device: torch.device, asked: int, batch: int) -> None:
    with pytest.raises(InvalidValueError, match="workers"):
        count_workers(device, asked, batch)


def test_default_number_of_workers() -> None:
    assert count_workers(GPU, None, 8) == 1
    assert count_workers(CPU, None, 1) == 1
    assert 1 <= count_workers(CPU, None, 1024) <= (os.cpu_count() or 1)
