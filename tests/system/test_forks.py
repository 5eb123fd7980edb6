"""Processes that are forked from one that computes: they compute too, and wait for nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("elsewhere Python starts processes anew", allow_module_level=True)

ROOT = Path(__file__).parents[2]
SECONDS = 60  # to be found waiting for ever; it takes a few

BEFORE = """
import os, sys
import torch
torch.set_num_threads(2)
import galgen
from galgen.generate.sampling import Sampling
from galgen.measure import measure

weights, busy = sys.argv[1:3]
model = galgen.load_model(weights, "cpu")
run = model.generate("spiral", 400, sampling=Sampling(steps=2, micro_batch=4))
(torch.ones(4_000_000) * 2).sum()  # large enough to be split, in the thread that forks
batches = iter(run)
if busy == "after":
    list(run.batches([(0, 16)]))
elif busy == "meanwhile":  # the lanes are at work on the next
    next(batches)
"""
AFTER = """
def child(work):
    number = os.fork()
    if number:
        return number
    try:
        work()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


WORK = {
    "anything of PyTorch": lambda: (torch.ones(4_000_000) * 2).sum(),
    "load": lambda: galgen.load_model(weights),
    "measure": lambda: measure(torch.rand(64, 64, 64, 3), ("g", "r", "i")),
    "same run": lambda: list(run.batches([(0, 16)])),
    "another run": lambda: list(model.generate("disk", 8)),
}
children = {child(work): name for name, work in WORK.items()}
failed = [name for number, name in children.items() if os.waitpid(number, 0)[1]]
assert not failed, failed
assert torch.get_num_threads() == 2  # here everything is as before
"""


@pytest.mark.parametrize("busy", ["before", "after", "meanwhile"])
def test_children_compute(tiny_weights: Path, busy: str) -> None:
    """Forked before the first galaxy is made, after some were, and while others are."""
    finishes(BEFORE + AFTER, str(tiny_weights), busy)


def finishes(code: str, *arguments: str) -> None:
    """Run a program in a group of its own, of which nothing is left if it never ends."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "2"}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=environment, start_new_session=True
    )
    try:
        assert process.wait(SECONDS) == 0
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
