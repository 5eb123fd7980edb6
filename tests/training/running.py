"""Run the training loop for some steps, and look at what it leaves."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from galgen.diffusion.denoiser import Denoiser
from galgen.training.loop import Events, Progress, Trainer
from galgen.training.prepare import Prepared
from galgen.weights.tensors import load_tensors

SIZE = 16  # the smallest stamps that can be measured
BATCH = 4


def trainer(prepared: Prepared, out: Path, **changes: object) -> Trainer:
    preset = dataclasses.replace(
        prepared.preset, train=dataclasses.replace(prepared.preset.train, **changes)
    )
    out.mkdir(exist_ok=True)
    return Trainer(preset, prepared.training, prepared.validation, out)


def steps(
    n: int,
    report: Callable[[Progress], None] = lambda progress: None,
    preview: Callable[[Denoiser, int], None] = lambda denoiser, images: None,
) -> Events:
    """Stop after n steps."""
    left = iter(range(n))
    return Events(lambda: next(left, None) is None, report, preview)


def log(out: Path) -> list[dict[str, str]]:
    with open(out / "loss.csv", newline="") as handle:
        return list(csv.DictReader(handle))


def saved(out: Path) -> tuple[dict[str, Tensor], dict]:
    return load_tensors(out / "checkpoint.safetensors")
